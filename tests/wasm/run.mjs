// Runs a program or a test program of wasm32-wasip1, or a program of wasm32-unknown-unknown, with Node.js 20 or newer:
//
//     CARGO_TARGET_WASM32_WASIP1_RUNNER='node --no-warnings tests/wasm/run.mjs'
//     cargo run -p wengert-wasm-tests --target wasm32-wasip1 -- FILE
//
// The program sees the folder in which it is started, and the folder for temporary files.
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { WASI } from 'node:wasi';

const [program, ...args] = process.argv.slice(2);
const module = await WebAssembly.compile(await readFile(program));
const imports = WebAssembly.Module.imports(module);
if (imports.some(({ module }) => module === 'wasi_snapshot_preview1')) {
  const preopens = { '.': '.', [tmpdir()]: tmpdir() };
  const wasi = new WASI({ version: 'preview1', args: [program, ...args], env: process.env, preopens });
  const instance = await WebAssembly.instantiate(module, wasi.getImportObject());
  process.exitCode = wasi.start(instance);
} else {
  // The clock of the host is imported through wasm-bindgen. A program that does not read the clock never calls it.
  const missing = {};
  for (const { module, name } of imports) {
    missing[module] ??= {};
    missing[module][name] = () => { throw new Error(`${module}.${name} is not available`); };
  }
  const instance = await WebAssembly.instantiate(module, missing);
  process.exitCode = instance.exports.main(0, 0);
  if (process.exitCode === 0) console.log(`${program}: passed`);
}
