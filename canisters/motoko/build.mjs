// Compiles the Motoko canisters, offline: `node canisters/motoko/build.mjs --out build/canisters`.
//
// Each canister is compiled in a process of its own, since the compiler keeps state: the same source then gives the same bytes.
// Writes <name>.wasm, <name>.did and <name>.most; tests compare the .did with the committed contract in canisters/candid.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const canisters = {
  registry: 'registry/main.mo',
  ledger: 'ledger/main.mo',
  jobs: 'jobs/main.mo',
  cooperative: 'cooperative/main.mo', // before the factory, which holds it
  cooperatives: 'cooperatives/main.mo',
};

function sources(folder) {
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    return statSync(path).isDirectory() ? sources(path) : path.endsWith('.mo') ? [path] : [];
  });
}

// The factory holds the cooperative's module, byte for byte as it is compiled alone, and must know its hash: owners vote for that.
function classHash(wasm) {
  const bytes = createHash('sha256').update(wasm).digest('hex').replace(/../g, '\\$&');
  return `module { public let value : Blob = "${bytes}" };\n`;
}

function compile(name, out) {
  const require = createRequire(import.meta.url);
  const mo = require('motoko').default ?? require('motoko');
  mo.loadPackage(require('motoko/packages/latest/core.json'));
  mo.setPublicMetadata(['candid:service', 'candid:args', 'motoko:stable-types']);
  for (const path of sources(here)) mo.write(relative(here, path), readFileSync(path, 'utf8'));
  if (name === 'cooperatives') mo.write('cooperatives/ClassHash.mo', classHash(readFileSync(join(out, 'cooperative.wasm'))));
  // Every warning is an error, but for three that only propose another spelling: M0223, M0236, M0237.
  const problems = mo.check(canisters[name]).filter((d) => !/M0236|M0237|M0223/.test(d.code ?? ''));
  if (problems.length) {
    for (const d of problems) console.error(`${d.source}:${d.range.start.line + 1}:${d.range.start.character + 1}: ${d.code} ${d.message}`);
    process.exit(1);
  }
  const { wasm, candid, stable } = mo.wasm(canisters[name], 'ic');
  writeFileSync(join(out, `${name}.wasm`), wasm);
  writeFileSync(join(out, `${name}.did`), candid);
  writeFileSync(join(out, `${name}.most`), stable ?? '');
}

const options = process.argv.slice(2);
const value = (flag) => (options.includes(flag) ? options[options.indexOf(flag) + 1] : undefined);
const out = value('--out');
if (!out) {
  console.error('usage: node canisters/motoko/build.mjs --out FOLDER [--only NAME]');
  process.exit(2);
}
mkdirSync(out, { recursive: true });
if (value('--only')) {
  compile(value('--only'), out);
} else {
  for (const name of Object.keys(canisters)) {
    try {
      execFileSync(process.execPath, [fileURLToPath(import.meta.url), '--out', out, '--only', name], { stdio: 'inherit' });
    } catch {
      process.exit(1); // the compiler has said what is wrong
    }
  }
}
