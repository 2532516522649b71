// permessage-deflate: Node `ws` as a client of echo_server, and as a server of echo_client.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { WebSocket, WebSocketServer } from 'ws';
import { LIMIT, closes, echoes, payload, receives } from './peer.mjs';

const SERVER = process.env.DEFLATE_SERVER;
const NO_CONTEXT_SERVER = process.env.NO_CONTEXT_SERVER;
const CLIENT = process.env.ECHO_CLIENT;
const MIB = 1 << 20;
const SIZES = [0, 1, 63, 64, 1000, 65_536, MIB];
const WINDOWS = [9, 10, 11, 12, 13, 14, 15];
const NO_CONTEXT = 'server_no_context_takeover; client_no_context_takeover';

const header = (...parameters) => ['permessage-deflate', ...parameters].join('; ');

// Text that is about as compressible as any.
function lines(size) {
  let text = '';
  for (let line = 0; text.length < size; line++) text += `line ${line}: κόσμε, and so on\n`;
  return text.slice(0, size);
}

// Text and binary, compressible or not.
async function everything(socket, sizes = SIZES) {
  for (const size of sizes) {
    await echoes(socket, lines(size));
    await echoes(socket, payload(size));
    await echoes(socket, randomBytes(size));
    await echoes(socket, randomBytes(size / 2).toString('hex'));
  }
}

// In fragments, each compressed, with pings in between.
async function inFragments(socket) {
  for (const whole of [lines(20_000), payload(70_000), randomBytes(70_000)]) {
    const binary = typeof whole !== 'string';
    const bytes = Buffer.from(whole);
    for (let start = 0; start < bytes.length; start += 7001) {
      const end = start + 7001;
      socket.send(bytes.subarray(start, end), { fin: end >= bytes.length, binary, compress: true });
      if (end < bytes.length) socket.ping('in between');
    }
    await receives(socket, whole);
  }
}

const handshakes = [
  ['as it is', {}, header()],
  ['without context of the server', { serverNoContextTakeover: true }, header('server_no_context_takeover')],
  ['without context of the client', { clientNoContextTakeover: true }, header('client_no_context_takeover')],
  ['without contexts', { serverNoContextTakeover: true, clientNoContextTakeover: true }, header(NO_CONTEXT)],
  ...WINDOWS.map((bits) => [
    `with windows of ${bits} bits`, { serverMaxWindowBits: bits, clientMaxWindowBits: bits },
    header(`server_max_window_bits=${bits}`, ...(bits < 15 ? [`client_max_window_bits=${bits}`] : [])),
  ]),
];

// A client, and the extension that the server answered with.
async function connect(url, perMessageDeflate) {
  const socket = new WebSocket(url, { perMessageDeflate, handshakeTimeout: 10_000 });
  const [[response]] = await Promise.all([once(socket, 'upgrade'), once(socket, 'open')]);
  return [socket, response.headers['sec-websocket-extensions']];
}

for (const [name, options, agreed] of handshakes) {
  test(`echo_server ${name}`, LIMIT, async () => {
    const [socket, answer] = await connect(SERVER, { threshold: 0, ...options });
    assert.equal(answer, agreed);
    await everything(socket);
    await inFragments(socket);
    await closes(socket, 1000);
  });
}

for (const threshold of [0, 1024]) {
  test(`echo_server that shares what compresses, threshold ${threshold}`, LIMIT, async () => {
    const [socket, answer] = await connect(NO_CONTEXT_SERVER, { threshold });
    assert.equal(answer, header(NO_CONTEXT));
    await everything(socket);
    await inFragments(socket);
    await closes(socket, 1000);
  });
}

test('echo_server that is not asked', LIMIT, async () => {
  const [socket, answer] = await connect(SERVER, false);
  assert.equal(answer, undefined);
  await everything(socket, [0, 64, 65_536]);
  await closes(socket, 1000);
});

// Runs echo_client against a server that does `body` with the connection; it must end with exit code 0.
function served(name, perMessageDeflate, agreed, option, body) {
  test(`echo_client ${name}`, LIMIT, async () => {
    const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate });
    const answers = [];
    server.on('headers', (fields) => answers.push(...fields.filter((field) => /^Sec-WebSocket-Ext/.test(field))));
    await once(server, 'listening');
    const client = echoClient(`ws://127.0.0.1:${server.address().port}/`, option);
    try {
      const [socket] = await once(server, 'connection');
      assert.deepEqual(answers, agreed === null ? [] : [`Sec-WebSocket-Extensions: ${agreed}`]);
      await body(socket);
      await closes(socket, 1000);
      assert.deepEqual(await client, { code: 0, stderr: '' });
    } finally {
      for (const socket of server.clients) socket.terminate();
      server.close();
    }
  });
}

function echoClient(url, option) {
  return new Promise((resolve) => {
    execFile(CLIENT, [url, option], { timeout: LIMIT.timeout }, (error, _stdout, stderr) => {
      resolve({ code: error ? error.code : 0, stderr });
    });
  });
}

async function all(socket) {
  await everything(socket);
  await inFragments(socket);
}

const threshold = 0;
served('as it is', { threshold }, header(), '--deflate', all);
served('without contexts', {
  threshold, serverNoContextTakeover: true, clientNoContextTakeover: true,
}, header(NO_CONTEXT), '--deflate', all);
served('that asks for no context', { threshold }, header('server_no_context_takeover'),
  '--deflate=server_no_context_takeover', all);
for (const bits of WINDOWS) {
  const limit = `client_max_window_bits=${bits}`;
  served(`with a window of ${bits} bits`, { threshold, clientMaxWindowBits: bits }, header(limit), '--deflate', all);
  const ask = `server_max_window_bits=${bits}`;
  served(`that asks for a window of ${bits} bits`, { threshold }, header(ask), `--deflate=${ask}`, all);
}
served('that is declined', false, null, '--deflate', (socket) => everything(socket, [0, 64, 65_536]));
