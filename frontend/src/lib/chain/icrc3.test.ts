// Hashes as canisters/interface/icrc3.py gives them.
import { expect, test } from 'vitest';
import { toHex } from '@/lib/bytes';
import type { Icrc3Value } from '@/lib/contracts/common';
import { ChainBroken, checkHashChain, shownValue, valueHash } from './icrc3';

const hashed = async (value: Icrc3Value): Promise<string> => toHex(await valueHash(value));

test('a whole block hashes as Python hashes it, whatever the order of its fields', async () => {
  const tx: Icrc3Value = { Map: [['amt', { Nat: 0n }], ['d', { Int: -129n }], ['i', { Int: 64n }], ['l', { Array: [{ Text: 'é' }, { Nat: 300n }, { Blob: new Uint8Array() }] }]] };
  const fields: [string, Icrc3Value][] = [
    ['phash', { Blob: Uint8Array.from({ length: 32 }, (_, i) => i) }],
    ['btype', { Text: '1mint' }],
    ['ts', { Nat: 1_700_000_000_000_000_000n }],
    ['tx', tx],
  ];

  expect(await hashed({ Map: fields })).toBe('4a1042bdb730c947439f0d7d8274c420751f0f7ed97566584b2a6053744c82a9');
  expect(await hashed({ Map: [...fields].reverse() })).toBe('4a1042bdb730c947439f0d7d8274c420751f0f7ed97566584b2a6053744c82a9');
});

test.each([
  [0n, '6e340b9cffb37a98'], [127n, '620bfdaa346b088f'], [128n, '4f2e968b543c835e'], [300n, '6ab5d0d823d6c395'], [2n ** 64n, '44ab025a31ea1fb7'],
])('the natural number %s', async (number, start) => {
  expect((await hashed({ Nat: number })).slice(0, 16)).toBe(start);
});

test.each([
  [0n, '6e340b9cffb37a98'], [63n, '8a8de823d5ed3e12'], [64n, 'e9aff84fdb699ca7'], [-64n, 'c3641f8544d7c02f'], [-65n, '6771eabe2def4d7c'],
  [-129n, 'b42ceeeb185973f3'], [2n ** 40n, 'e6ae884acbfbea0c'], [-(2n ** 40n), 'a166fa8c8f1f0587'],
])('the integer %s', async (number, start) => {
  expect((await hashed({ Int: number })).slice(0, 16)).toBe(start);
});

async function log(length: number) {
  const blocks: { id: bigint; block: Icrc3Value }[] = [];
  let parent: Uint8Array | null = null;
  for (let i = 0; i < length; i += 1) {
    const fields: [string, Icrc3Value][] = [['btype', { Text: 'note' }], ['n', { Nat: BigInt(i) }]];
    const block: Icrc3Value = { Map: parent ? [['phash', { Blob: parent }], ...fields] : fields };
    blocks.push({ id: BigInt(i), block });
    parent = await valueHash(block);
  }
  return { blocks, tip: parent as Uint8Array };
}

test('a chain of blocks holds up to its tip, also when it begins in the middle', async () => {
  const { blocks, tip } = await log(5);

  await expect(checkHashChain(blocks, tip)).resolves.toBeUndefined();
  await expect(checkHashChain(blocks.slice(2), tip)).resolves.toBeUndefined();
});

test('an altered, exchanged or missing block is seen', async () => {
  const { blocks, tip } = await log(4);
  const [first, second, third, fourth] = blocks as [(typeof blocks)[0], (typeof blocks)[0], (typeof blocks)[0], (typeof blocks)[0]];
  const altered = { id: 1n, block: { Map: [...(second.block as { Map: [string, Icrc3Value][] }).Map, ['more', { Nat: 1n }]] } as Icrc3Value };

  for (const broken of [[first, altered, third, fourth], [second, first, third, fourth], [first, third, fourth], [first, second, third]]) {
    await expect(checkHashChain(broken, tip)).rejects.toThrow(ChainBroken);
  }
  await expect(checkHashChain(blocks, new Uint8Array(32))).rejects.toThrow(/altered/);
});

test('a block is shown as names and values', () => {
  expect(shownValue({ Map: [['a', { Nat: 7n }], ['b', { Array: [{ Blob: new Uint8Array([1, 255]) }, { Text: 'x' }] }]] })).toEqual({ a: '7', b: ['01ff', 'x'] });
});
