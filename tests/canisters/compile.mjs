// `node compile.mjs SOURCE OUT`: one Motoko source to wasm, for the tests. Run in the repository, whose packages it uses.
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const require = createRequire(join(process.cwd(), 'package.json'));
const mo = require('motoko').default ?? require('motoko');
const [source, out] = process.argv.slice(2);
mo.loadPackage(require('motoko/packages/latest/core.json'));
mo.write('Main.mo', readFileSync(source, 'utf8'));
writeFileSync(out, mo.wasm('Main.mo', 'ic').wasm);
