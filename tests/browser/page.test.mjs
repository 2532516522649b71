// Chromium as a client of echo_server: by the page that the server serves, and by sockets of our own
// opened from it, where every byte and every CloseEvent is looked at.

import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { chromium } from 'playwright-core';

const SERVER = process.env.ECHO_SERVER;
// Servers that compress, and what they agree on with Chromium.
const COMPRESSING = [
  [process.env.DEFLATE_SERVER, 'permessage-deflate'],
  [process.env.NO_CONTEXT_SERVER,
    'permessage-deflate; server_no_context_takeover; client_no_context_takeover'],
];
const SCREENSHOTS = process.env.SCREENSHOTS;
const LIMIT = { timeout: 60_000 };
const MIB = 1 << 20;
const SIZES = [0, 1, 125, 126, 65535, 65536, MIB, 16 * MIB];
// Least bytes that echo_server compresses.
const MIN_BYTES = 64;
const FLAGS = [
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

let browser, page, complaints;

before(async () => {
  browser = await chromium.launch({ executablePath: process.env.CHROMIUM, chromiumSandbox: false, args: FLAGS });
}, LIMIT);

after(() => browser?.close(), LIMIT);

beforeEach(async () => {
  await page?.close();
  page = await browser.newPage();
  page.setDefaultTimeout(20_000);
  complaints = [];
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('requestfailed', (request) => complaints.push(`${request.url()} failed`));
  await open(SERVER);
}, LIMIT);

async function open(server) {
  const response = await page.goto(`${server.replace('ws:', 'http:')}/`);
  assert.equal(response.status(), 200);
  assert.match(response.headers()['content-type'], /^text\/html/);
  await state(/^open/);
}

// A test with a fresh page that is connected; it must leave nothing on the console.
function onPage(name, body) {
  test(name, LIMIT, async () => {
    await body();
    assert.deepEqual(complaints, []);
  });
}

async function state(pattern) {
  await page.waitForFunction(
    ([source]) => new RegExp(source).test(document.getElementById('state').textContent.trim()),
    [pattern.source],
  );
}

// The frames that the page shows, once there are `count` from the server: it sends each message as one
// frame. The browser may send a message in fragments.
async function frames(count) {
  const outgoing = '#frames td[data-field=direction]';
  await page.waitForFunction(
    ([cells, wanted]) => Array.from(document.querySelectorAll(cells), (cell) => cell.textContent.trim())
      .filter((direction) => direction === 'out').length >= wanted,
    [outgoing, count],
  );
  const rows = await page.$$eval('#frames tr', (rows) => rows.map((row) => Object.fromEntries(
    Array.from(row.querySelectorAll('[data-field]'), (cell) => [cell.dataset.field, cell.textContent.trim()]),
  )));
  assert.equal(rows.filter((row) => row.direction === 'out').length, count);
  return rows;
}

// Checks what is shown of one message and its echo: from the browser it is masked, from the server it is not.
function checkFrames(rows, opcode, length, answered = length) {
  const [echoed, ...sent] = [rows.at(-1), ...rows.slice(0, -1)];
  for (const row of rows) assert.match(row.rsv, /^0+$/);
  for (const [at, row] of sent.entries()) {
    assert.equal(row.direction, 'in');
    assert.match(row.opcode, at === 0 ? opcode : /continuation/i);
    assert.equal(row.fin, at === sent.length - 1 ? '1' : '0');
    assert.equal(row.masked, 'yes');
    assert.match(row.key.replaceAll(' ', ''), /^[0-9a-f]{8}$/i);
  }
  assert.equal(sent.reduce((sum, row) => sum + Number(row.length), 0), length);
  assert.equal(echoed.direction, 'out');
  assert.match(echoed.opcode, opcode);
  assert.equal(echoed.fin, '1');
  assert.equal(Number(echoed.length), answered);
  assert.equal(echoed.masked, 'no');
  assert.doesNotMatch(echoed.key, /[0-9a-f]/i);
}

async function close(code, reason) {
  await page.fill('#code', String(code));
  await page.fill('#reason', reason);
  await page.click('#close');
}

onPage('text by the page', async () => {
  const text = 'Grüße, κόσμε 🦀';
  await page.fill('#text', text);
  await page.click('#send-text');
  const rows = await frames(1);
  checkFrames(rows, /text/i, Buffer.byteLength(text));
  for (const row of rows) assert.match(row.bytes, /^47 72 c3 bc c3 9f/);
});

onPage('binary of every size by the page', async () => {
  let shown = 0;
  for (const [at, size] of SIZES.entries()) {
    await page.fill('#size', String(size));
    await page.click('#send-binary');
    const rows = await frames(at + 1);
    checkFrames(rows.slice(shown), /binary/i, size);
    shown = rows.length;
  }
});

onPage('closing by the page', async () => {
  await close(1000, '');
  await state(/^closed.*1000/);
  checkFrames(await frames(1), /close/i, 2);
});

onPage('closing with a reason by the page, and connecting again', async () => {
  const reason = 'Bis später';
  await close(3000, reason);
  await state(/^closed.*3000/);
  checkFrames(await frames(1), /close/i, 2 + Buffer.byteLength(reason), 2);
  await page.click('#connect');
  await state(/^open/);
  await page.fill('#text', 'again');
  await page.click('#send-text');
  checkFrames((await frames(2)).slice(2), /text/i, 5);
});

// The text and the colours say whether messages are compressed.
async function shows(extensions) {
  assert.equal(await page.textContent('#extensions'), extensions || 'no compression');
  assert.equal(await page.isVisible('#sizes'), extensions !== '');
}

// What the page shows of one direction's messages, each behind its frames, whose lengths are added up here.
function messages(direction) {
  return page.$$eval('#frames tr', (rows, direction) => {
    const found = [];
    let length = 0;
    for (const { dataset, cells } of rows) {
      const field = (name) => Array.from(cells).find((cell) => cell.dataset.field === name)?.textContent.trim();
      if (field('direction') === direction) length += Number(field('length'));
      if (dataset.message !== direction) continue;
      const [plain, wire] = [Number(dataset.plain), Number(dataset.wire)];
      found.push({ plain, wire, length, compressed: dataset.compressed === 'true' });
      length = 0;
    }
    return found;
  }, direction);
}

function totals(direction) {
  return page.$$eval(`#sizes-${direction} [data-total]`, (cells) => Object.fromEntries(
    cells.map((cell) => [cell.dataset.total, Number(cell.textContent.replaceAll(',', ''))]),
  ));
}

// Checks what the page shows of both directions, once so many messages have gone round.
async function checkSizes(sizes) {
  await page.waitForFunction(
    ([count]) => document.querySelectorAll('#frames tr[data-message=out]').length === count,
    [sizes.length],
  );
  for (const direction of ['in', 'out']) {
    const shown = await messages(direction);
    assert.deepEqual(shown.map((message) => message.plain), sizes);
    for (const { plain, wire, length, compressed } of shown) {
      assert.equal(wire, length, 'the frames add up');
      if (direction === 'out') assert.equal(compressed, plain >= MIN_BYTES);
      if (compressed && plain >= MIN_BYTES) assert.ok(wire < plain, `${plain} bytes came as ${wire}`);
      if (!compressed) assert.equal(wire, plain);
    }
    const sum = (field) => shown.reduce((sum, message) => sum + message[field], 0);
    const { messages: count, plain, wire } = await totals(direction);
    assert.deepEqual([count, plain, wire], [sizes.length, sum('plain'), sum('wire')]);
    assert.ok(4 * wire < plain, `${direction}: ${plain} bytes in all came as ${wire}`);
  }
}

onPage('no compression', () => shows(''));

for (const [server, extensions] of COMPRESSING) {
  onPage(`the page with ${extensions}`, async () => {
    await open(server);
    await shows(extensions);
    const sizes = [0, 5, MIN_BYTES - 1, MIN_BYTES, 126, 1000, 65536, MIB];
    for (const [at, size] of sizes.entries()) {
      // Text that is about as compressible as any: counted lines.
      await page.evaluate((size) => {
        let text = '';
        for (let line = 0; text.length < size; line++) text += `line ${line} of a text that goes on and on, `;
        send(text.slice(0, size), size);
      }, size);
      await page.waitForFunction((count) => totals.echoed === count, at + 1);
    }
    await page.fill('#size', '100000');
    await page.click('#send-binary');
    await checkSizes([...sizes, 100_000]);
    assert.equal(await page.textContent('#problem'), '');
    // A connection of its own: counted anew.
    await close(1000, '');
    await state(/^closed.*1000/);
    await page.click('#connect');
    await state(/^open/);
    assert.deepEqual([(await totals('in')).messages, (await totals('out')).messages], [0, 0]);
    await shows(extensions);
  });

  onPage(`every byte of the echoes with ${extensions}`, () => everyByte(server, extensions));
}

onPage('every byte of the echoes', () => everyByte(SERVER, ''));

async function everyByte(url, extensions) {
  const wrong = await page.evaluate(async ([url, extensions, sizes]) => {
    const socket = new WebSocket(url);
    socket.binaryType = 'arraybuffer';
    await new Promise((resolve, reject) => Object.assign(socket, { onopen: resolve, onclose: reject }));
    const wrong = [];
    if (socket.protocol || socket.extensions !== extensions) wrong.push(`${socket.extensions} was negotiated`);
    const echo = (message) => new Promise((resolve, reject) => {
      socket.onmessage = (event) => resolve(event.data);
      socket.onclose = (event) => reject(new Error(`closed with ${event.code}`));
      socket.send(message);
    });
    for (const size of sizes) {
      const data = Uint8Array.from({ length: size }, (_, at) => at % 251);
      const answer = new Uint8Array(await echo(data));
      if (answer.length !== size || answer.some((byte, at) => byte !== data[at])) wrong.push(`${size} bytes`);
      const blob = new Uint8Array(await echo(new Blob([data])));
      if (blob.length !== size) wrong.push(`a blob of ${size} bytes`);
      const text = 'a€'.repeat(size / 4) + 'x'.repeat(size % 4);
      if (await echo(text) !== text) wrong.push(`text of ${size} bytes`);
    }
    socket.close();
    return wrong;
  }, [url, extensions, SIZES]);
  assert.deepEqual(wrong, []);
}

// How a socket ends, seen from the browser, when it does `body`.
function closeEvent(send, ...close) {
  return page.evaluate(([url, send, close]) => new Promise((resolve) => {
    const socket = new WebSocket(url);
    socket.onopen = () => {
      if (send) socket.send(new Uint8Array(send));
      else socket.close(...close);
    };
    socket.onclose = ({ code, reason, wasClean }) => resolve({ code, reason, wasClean });
  }), [SERVER, send, close]);
}

onPage('close events', async () => {
  // The server answers with the code that it received, and no reason.
  for (const args of [[1000], [3000, 'Bis später'], [4999, 'x'.repeat(123)]]) {
    assert.deepEqual(await closeEvent(0, ...args), { code: args[0], reason: '', wasClean: true });
  }
  assert.deepEqual(await closeEvent(0), { code: 1005, reason: '', wasClean: true });
});

onPage('a message that is too big', async () => {
  assert.equal((await closeEvent(16 * MIB + 1)).code, 1009);
});

test('screenshots', { ...LIMIT, skip: !SCREENSHOTS }, async () => {
  await screenshots('');
  await open(COMPRESSING[0][0]);
  await screenshots('deflate-');
});

async function screenshots(prefix) {
  await page.click('#send-text');
  for (const size of [0, 126, MIB]) {
    await page.fill('#size', String(size));
    await page.click('#send-binary');
  }
  await close(3000, 'Bis später');
  await frames(5);
  for (const colorScheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme });
    for (const [name, width, height] of [['wide', 1280, 800], ['narrow', 400, 900]]) {
      await page.setViewportSize({ width, height });
      await page.screenshot({ path: `${SCREENSHOTS}/${prefix}${colorScheme}-${name}.png`, fullPage: true });
    }
  }
}
