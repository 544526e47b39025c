// Units as types, so that e8s, nanoseconds and millionths cannot be mixed up. The API sends 64-bit numbers as decimal text.
declare const brand: unique symbol;
type Branded<T, B extends string> = T & { readonly [brand]: B };

/** An amount in 10^-8 tokens. */
export type E8s = Branded<bigint, 'e8s'>;
/** A point in time, or a span, in nanoseconds. */
export type Nanos = Branded<bigint, 'ns'>;
/** The same, as the API sends them. */
export type E8sText = Branded<string, 'e8s'>;
export type NanosText = Branded<string, 'ns'>;

export const E8S_PER_TOKEN = 100_000_000n;
export const NS_PER_MS = 1_000_000n;
export const NS_PER_SECOND = 1_000_000_000n;

export const e8s = (value: bigint | string): E8s => BigInt(value) as E8s;
export const nanos = (value: bigint | string): Nanos => BigInt(value) as Nanos;
export const nowNs = (): Nanos => nanos(BigInt(Date.now()) * NS_PER_MS);
export const fromDate = (date: Date): Nanos => nanos(BigInt(date.getTime()) * NS_PER_MS);

export const sumE8s = (values: readonly (bigint | string)[]): E8s => e8s(values.reduce<bigint>((sum, value) => sum + BigInt(value), 0n));

/** Reads what a person types as an amount of tokens: "12", "0.5". Null: not an amount of at most 8 decimals. */
export function parseTokens(text: string): E8s | null {
  const match = /^\s*(\d{1,12})(?:[.,](\d{1,8}))?\s*$/.exec(text);
  if (!match) return null;
  return e8s(BigInt(match[1] ?? '0') * E8S_PER_TOKEN + BigInt((match[2] ?? '').padEnd(8, '0') || '0'));
}
