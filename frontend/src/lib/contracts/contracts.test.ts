// The contracts written here say what the committed .did files say.
import { IDL } from '@icp-sdk/core/candid';
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { canonical, parseDid } from '@/testing/did';
import type { Contract } from './common';
import { cooperative } from './cooperative';
import { cooperatives } from './cooperatives';
import { jobs } from './jobs';
import { ledger } from './ledger';
import { registry } from './registry';

const committed = (name: string) => parseDid(readFileSync(new URL(`../../../../canisters/candid/${name}.did`, import.meta.url), 'utf8'));

const CONTRACTS: [string, Contract][] = [
  ['registry', registry],
  ['jobs', jobs],
  ['ledger', ledger],
  ['cooperative', cooperative],
  ['cooperatives', cooperatives],
];

test.each(CONTRACTS)('every method of %s that the page calls is the one in its .did file', (name, contract) => {
  const did = committed(name);

  for (const [method, func] of Object.entries(contract)) {
    expect(did, `${name}.${method}`).toHaveProperty(method);
    const written = { args: func.argTypes.map((type) => canonical(type)), results: func.retTypes.map((type) => canonical(type)), annotations: func.annotations };
    expect(written, `${name}.${method}`).toEqual(did[method]);
  }
});

test('a field more, a field less or another type is seen', () => {
  const did = parseDid('type A = record { x : nat; y : opt text }; service : { f : (A) -> (variant { Ok; Err : text }) query }');
  const variants = [IDL.Record({ x: IDL.Nat }), IDL.Record({ x: IDL.Nat, y: IDL.Text }), IDL.Record({ x: IDL.Nat64, y: IDL.Opt(IDL.Text) })];

  expect(did.f?.args).toEqual([canonical(IDL.Record({ y: IDL.Opt(IDL.Text), x: IDL.Nat }))]);
  for (const wrong of variants) expect(did.f?.args).not.toEqual([canonical(wrong)]);
});

test('recursive types are followed to where they come back', () => {
  const did = parseDid('type List = opt record { nat; List }; service : { f : (List) -> () }');
  const list = IDL.Rec();
  list.fill(IDL.Opt(IDL.Tuple(IDL.Nat, list)));
  const flat = IDL.Opt(IDL.Tuple(IDL.Nat, IDL.Nat));

  expect(did.f?.args).toEqual([canonical(list)]);
  expect(did.f?.args).not.toEqual([canonical(flat)]);
});
