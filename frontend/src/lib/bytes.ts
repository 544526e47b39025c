// Bytes: hex, joining, hashing, canonical JSON. `canonicalJson` gives the same text as marketplace/client/canonical.py.
export type Bytes = Uint8Array<ArrayBuffer>;

const HEX = Array.from({ length: 256 }, (_, i) => i.toString(16).padStart(2, '0'));

export function toHex(data: Uint8Array | readonly number[]): string {
  let text = '';
  for (const byte of data) text += HEX[byte] ?? '';
  return text;
}

/** Throws RangeError for what is not hex. */
export function fromHex(text: string): Bytes {
  if (!/^([0-9a-fA-F]{2})*$/.test(text)) throw new RangeError(`not hex: ${text.slice(0, 40)}`);
  const data = new Uint8Array(text.length / 2);
  for (let i = 0; i < data.length; i += 1) data[i] = Number.parseInt(text.slice(2 * i, 2 * i + 2), 16);
  return data;
}

export function concat(...parts: readonly Uint8Array[]): Bytes {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

export function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

/** A copy that WebCrypto takes: its buffer is a plain ArrayBuffer. */
export const owned = (data: Uint8Array): Bytes => new Uint8Array(data);

export const utf8 = (text: string): Bytes => new Uint8Array(new TextEncoder().encode(text));

export async function sha256(data: Uint8Array): Promise<Bytes> {
  return new Uint8Array(await crypto.subtle.digest('SHA-256', owned(data)));
}

export const randomBytes = (size: number): Bytes => crypto.getRandomValues(new Uint8Array(size));

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json | undefined };

/** Sorted keys, no spaces, ASCII only. Fields that are undefined are left out. Throws RangeError for NaN and infinities. */
export function canonicalJson(value: Json): string {
  if (value === null || typeof value === 'boolean') return String(value);
  if (typeof value === 'number') return canonicalNumber(value);
  if (typeof value === 'string') return canonicalText(value);
  if (Array.isArray(value)) return `[${(value as readonly Json[]).map(canonicalJson).join(',')}]`;
  const fields = Object.entries(value as Record<string, Json | undefined>).filter((field): field is [string, Json] => field[1] !== undefined);
  // Python sorts by code point, JavaScript by UTF-16 unit: they differ beyond the basic plane.
  fields.sort(([a], [b]) => compareCodePoints(a, b));
  return `{${fields.map(([key, item]) => `${canonicalText(key)}:${canonicalJson(item)}`).join(',')}}`;
}

export const canonicalBytes = (value: Json): Bytes => utf8(canonicalJson(value));

function canonicalNumber(value: number): string {
  if (!Number.isFinite(value)) throw new RangeError(`${value} is not JSON`);
  return JSON.stringify(value);
}

function canonicalText(text: string): string {
  return JSON.stringify(text).replace(/[\u007f-\uffff]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

function compareCodePoints(a: string, b: string): number {
  const [left, right] = [Array.from(a), Array.from(b)];
  for (let i = 0; i < Math.min(left.length, right.length); i += 1) {
    const difference = (left[i]?.codePointAt(0) ?? 0) - (right[i]?.codePointAt(0) ?? 0);
    if (difference !== 0) return difference;
  }
  return left.length - right.length;
}
