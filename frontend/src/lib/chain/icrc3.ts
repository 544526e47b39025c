// ICRC-3 values: the form of every block in every log, and its representation-independent hash. Source: ICRC-3, "Value", "hash".
import { concat, equal, fromHex, sha256, toHex, utf8, type Bytes } from '@/lib/bytes';
import type { Icrc3Value } from '@/lib/contracts/common';

/** 32 bytes. Maps hash by sorted key hashes, so the order in which fields were written does not matter. */
export async function valueHash(value: Icrc3Value): Promise<Bytes> {
  if ('Nat' in value) return sha256(leb128(value.Nat));
  if ('Int' in value) return sha256(sleb128(value.Int));
  if ('Text' in value) return sha256(utf8(value.Text));
  if ('Blob' in value) return sha256(Uint8Array.from(value.Blob));
  if ('Array' in value) return sha256(concat(...(await Promise.all(value.Array.map(valueHash)))));
  const pairs = await Promise.all(value.Map.map(async ([key, item]) => toHex(await sha256(utf8(key))) + toHex(await valueHash(item))));
  return sha256(fromHex(pairs.sort().join('')));
}

export function leb128(value: bigint): Bytes {
  const out: number[] = [];
  let rest = value;
  do {
    const low = Number(rest & 0x7fn);
    rest >>= 7n;
    out.push(rest ? low | 0x80 : low);
  } while (rest);
  return Uint8Array.from(out);
}

export function sleb128(value: bigint): Bytes {
  const out: number[] = [];
  let rest = value;
  for (;;) {
    const low = Number(rest & 0x7fn);
    rest >>= 7n;
    const done = (rest === 0n && !(low & 0x40)) || (rest === -1n && Boolean(low & 0x40));
    out.push(done ? low : low | 0x80);
    if (done) return Uint8Array.from(out);
  }
}

/** A field of a Map; undefined when it is not there. */
export const field = (value: Icrc3Value, name: string): Icrc3Value | undefined =>
  'Map' in value ? value.Map.find(([key]) => key === name)?.[1] : undefined;

export const textOf = (value: Icrc3Value | undefined): string | null => (value && 'Text' in value ? value.Text : null);
export const natOf = (value: Icrc3Value | undefined): bigint | null => (value && 'Nat' in value ? value.Nat : null);
export const blobOf = (value: Icrc3Value | undefined): Bytes | null => (value && 'Blob' in value ? Uint8Array.from(value.Blob) : null);

export class ChainBroken extends Error {
  override readonly name = 'ChainBroken';
}

/** Checks that each block names its parent's hash and that the last one hashes to `tip`. `blocks` are consecutive, the last is the tip. */
export async function checkHashChain(blocks: readonly { id: bigint; block: Icrc3Value }[], tip: Uint8Array): Promise<void> {
  let expected: Uint8Array = tip;
  for (let i = blocks.length - 1; i >= 0; i -= 1) {
    const { id, block } = blocks[i] as { id: bigint; block: Icrc3Value };
    if (!equal(await valueHash(block), expected)) throw new ChainBroken(`Block ${id} does not hash to what its successor names: the log was altered.`);
    const parent = blobOf(field(block, 'phash'));
    if (i > 0 && !parent) throw new ChainBroken(`Block ${id} names no parent: the log was altered.`);
    expected = parent ?? expected;
  }
}

/** As a person reads it: nested lists of names and values. */
export type Shown = string | Shown[] | { [key: string]: Shown };

/** `blob`: how to write bytes, given the name they stand under. */
export function shownValue(value: Icrc3Value, blob: (data: Bytes, name: string) => string = toHex, name = ''): Shown {
  if ('Nat' in value) return value.Nat.toString();
  if ('Int' in value) return value.Int.toString();
  if ('Text' in value) return value.Text;
  if ('Blob' in value) return blob(Uint8Array.from(value.Blob), name);
  if ('Array' in value) return value.Array.map((item) => shownValue(item, blob, name));
  return Object.fromEntries(value.Map.map(([key, item]) => [key, shownValue(item, blob, key)]));
}
