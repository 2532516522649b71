// Node `ws` as a client of echo_server.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { WebSocket } from 'ws';
import { CLOSES, LIMIT, SIZES, TEXTS, closes, echoes, fragments, payload, pings, pipelined } from './peer.mjs';

const SERVER = process.env.ECHO_SERVER;
const SMALL_SERVER = process.env.SMALL_ECHO_SERVER;
const SMALL = Number(process.env.SMALL_MESSAGE_BYTES);

async function connect({ url = SERVER, protocols = [], ...options } = {}) {
  const socket = new WebSocket(url, protocols, { handshakeTimeout: 10_000, ...options });
  await once(socket, 'open');
  return socket;
}

// A test with a connection, which it leaves open.
function connected(name, body) {
  test(name, LIMIT, async () => {
    const socket = await connect();
    await body(socket);
    await closes(socket, 1000);
  });
}

connected('text', async (socket) => {
  for (const text of TEXTS) await echoes(socket, text);
});

connected('binary of every length form', async (socket) => {
  for (const size of SIZES) await echoes(socket, payload(size));
});

connected('text of every length form', async (socket) => {
  for (const size of SIZES) await echoes(socket, 'x'.repeat(size));
});

connected('fragments', fragments);
connected('pings', pings);
connected('many small messages in one go', (socket) => pipelined(socket, 10_000));

test('close with code and reason, and without', LIMIT, async () => {
  for (const [code, reason] of [...CLOSES, []]) await closes(await connect(), code, reason);
});

test('no extension is negotiated', LIMIT, async () => {
  const socket = await connect({ perMessageDeflate: true });
  assert.equal(socket.extensions, '');
  await echoes(socket, 'x'.repeat(10_000));
  await closes(socket, 1000);
});

test('no subprotocol is selected', LIMIT, async () => {
  // To this client, as to browsers, that is a failure.
  const socket = new WebSocket(SERVER, ['chat', 'superchat']);
  const [[response], [error]] = await Promise.all([once(socket, 'upgrade'), once(socket, 'error')]);
  assert.equal(response.headers['sec-websocket-protocol'], undefined);
  assert.equal(error.message, 'Server sent no subprotocol');
});

test('a message that is too big', LIMIT, async () => {
  const socket = await connect({ url: SMALL_SERVER });
  await echoes(socket, payload(SMALL));
  socket.send(payload(SMALL + 1));
  const [code] = await once(socket, 'close');
  assert.equal(code, 1009);
});
