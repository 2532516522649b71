// Node `ws` as a server of echo_client.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { WebSocketServer } from 'ws';
import { CLOSES, LIMIT, SIZES, TEXTS, closes, echoes, fragments, payload, pings, pipelined } from './peer.mjs';

const CLIENT = process.env.ECHO_CLIENT;

// Runs echo_client against a server that does `body` with the connection; it must end with exit code 0.
function served(name, body, options = {}) {
  test(name, LIMIT, async () => {
    const server = new WebSocketServer({ host: '127.0.0.1', port: 0, ...options });
    await once(server, 'listening');
    const { port } = server.address();
    const client = echoClient(`ws://127.0.0.1:${port}/`);
    try {
      const [socket, request] = await once(server, 'connection');
      await body(socket, request);
      if (socket.readyState === socket.OPEN) await closes(socket, 1000);
      assert.deepEqual(await client, { code: 0, stderr: '' });
    } finally {
      for (const socket of server.clients) socket.terminate();
      server.close();
    }
  });
}

function echoClient(url) {
  return new Promise((resolve) => {
    execFile(CLIENT, [url], { timeout: LIMIT.timeout }, (error, _stdout, stderr) => {
      resolve({ code: error ? error.code : 0, stderr });
    });
  });
}

served('text', async (socket) => {
  for (const text of TEXTS) await echoes(socket, text);
});

served('binary of every length form', async (socket) => {
  for (const size of SIZES) await echoes(socket, payload(size));
});

served('text of every length form', async (socket) => {
  for (const size of SIZES) await echoes(socket, 'x'.repeat(size));
});

served('fragments', fragments);
served('pings', pings);
served('many small messages in one go', (socket) => pipelined(socket, 10_000));

for (const [code, reason] of [...CLOSES, []]) {
  served(`close with ${code ?? 'no code'}`, (socket) => closes(socket, code, reason));
}

served('nothing is offered', async (socket, request) => {
  assert.equal(socket.extensions, '');
  assert.equal(request.headers['sec-websocket-extensions'], undefined);
  assert.equal(request.headers['sec-websocket-protocol'], undefined);
}, { perMessageDeflate: true });
