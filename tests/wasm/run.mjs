// Calls `compare` of the module given. A difference traps, which fails this.
import { readFile } from "node:fs/promises";

const texts = 20_000;
const { instance } = await WebAssembly.instantiate(await readFile(process.argv[2]), {});
const valid = instance.exports.compare(texts);
if (valid < texts / 4 || valid > texts * 3 / 4) {
  throw new Error(`${valid} of ${texts} texts were valid`);
}
console.log(`${texts} texts, ${valid} of them valid\n# pass ${texts}`);
