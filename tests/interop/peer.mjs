// What the Node tests share.

import assert from 'node:assert/strict';
import { once } from 'node:events';

export const LIMIT = { timeout: 30_000 };
const MIB = 1 << 20;
export const SIZES = [0, 1, 125, 126, 127, 65535, 65536, MIB, 16 * MIB];
export const TEXTS = ['', 'Hello', 'κόσμε, grüß dich, 你好, 🦀', '\0\ufeff', 'é'.repeat(40_000)];

// Bytes with a period that no buffer size is a multiple of.
export function payload(size) {
  return Buffer.alloc(size, Uint8Array.from({ length: 251 }, (_, at) => at));
}

// Sends a message and checks that it comes back, of the same kind.
export async function echoes(socket, message) {
  socket.send(message);
  await receives(socket, message);
}

export async function receives(socket, message) {
  const [data, isBinary] = await once(socket, 'message');
  const expected = Buffer.from(message);
  assert.equal(isBinary, typeof message !== 'string');
  assert.equal(data.length, expected.length);
  assert.ok(data.equals(expected), 'the echo differs');
}

// Sends `count` messages without waiting, and checks that all come back in order.
export async function pipelined(socket, count) {
  let next = 0;
  const done = new Promise((resolve, reject) => {
    socket.once('close', () => reject(new Error(`closed at message ${next}`)));
    socket.on('message', (data) => {
      if (data.toString() !== `message ${next}`) reject(new Error(`${data} is not message ${next}`));
      if (++next === count) resolve();
    });
  });
  for (let number = 0; number < count; number++) socket.send(`message ${number}`);
  await done;
}

export async function pings(socket) {
  for (const data of [payload(0), payload(1), payload(125)]) {
    socket.ping(data);
    const [answer] = await once(socket, 'pong');
    assert.ok(answer.equals(data));
  }
}

// A ping between two fragments, and a character cut in two.
export async function fragments(socket) {
  const [start, end] = [Buffer.from('κόσμε').subarray(0, 3), Buffer.from('κόσμε').subarray(3)];
  socket.send(start, { fin: false, binary: false });
  socket.ping('in between');
  assert.equal((await once(socket, 'pong')).toString(), 'in between');
  socket.send(end, { fin: true });
  await receives(socket, 'κόσμε');
}

export const CLOSES = [[1000, ''], [1001, 'going'], [3000, 'Grüße'], [4999, 'x'.repeat(123)]];

// Closes and checks the answer: the same code, no reason.
export async function closes(socket, code, reason) {
  socket.close(code, reason);
  const [answer, why] = await once(socket, 'close');
  assert.deepEqual([answer, why.toString()], [code ?? 1005, '']);
}
