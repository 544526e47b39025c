// What a CSV looks like from outside: types, statistics, and a made-up sample. Computed in the owner's browser; rows never leave it.
//
// The profile becomes public, so it names no rare value: a category's values are listed only when RARE or more rows share them, and
// text columns list none. The sample is drawn column by column from the statistics, so no row of it is a row of the data.
import type { ColumnProfile, ColumnType, Mock, Profile, Schema } from '@/lib/api/types';

export const RARE = 5;
const MAX_DISTINCT = 2_000;
const MAX_CATEGORIES = 50;
const BINS = 12;
const TRUTH: Readonly<Record<string, boolean>> = { true: true, false: false, yes: true, no: false };

interface Column {
  name: string;
  count: number;
  missing: number;
  numbers: number[] | null;
  integers: boolean;
  booleans: boolean;
  values: Map<string, number> | null;
}

export class BadCsv extends Error {
  override readonly name = 'BadCsv';
}

/** Takes rows as they come; `finish` gives the profile. */
export class Profiler {
  private columns: Column[] = [];
  private rows = 0;

  /** The header line. Throws BadCsv. */
  start(header: readonly string[]): void {
    const names = header.map((name) => name.trim());
    const empty = names.findIndex((name) => name === '');
    if (empty >= 0) throw new BadCsv(`Column ${empty + 1} has no name. The first line must name every column.`);
    const twice = names.find((name, i) => names.indexOf(name) !== i);
    if (twice !== undefined) throw new BadCsv(`Two columns are named "${twice}". Give each its own name.`);
    if (names.length > 1_000) throw new BadCsv(`The file has ${names.length} columns; at most 1,000 can be registered.`);
    this.columns = names.map((name) => ({ name, count: 0, missing: 0, numbers: [], integers: true, booleans: true, values: new Map() }));
  }

  /** One line. Throws BadCsv, naming the line. */
  add(row: readonly string[]): void {
    this.rows += 1;
    if (row.length !== this.columns.length) {
      throw new BadCsv(`Line ${this.rows + 1} has ${row.length} values, but there are ${this.columns.length} columns. Mend the line and drop the file again.`);
    }
    this.columns.forEach((column, i) => observe(column, (row[i] ?? '').trim()));
  }

  finish(): Profile {
    if (this.rows === 0) throw new BadCsv('The file has a header but no rows.');
    return { rows: this.rows, columns: this.columns.map(describe) };
  }
}

function observe(column: Column, value: string): void {
  if (value === '' || /^(na|n\/a|nan|null|none)$/i.test(value)) {
    column.missing += 1;
    return;
  }
  column.count += 1;
  if (column.numbers) {
    const number = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(value) ? Number(value) : Number.NaN;
    if (Number.isFinite(number)) {
      column.numbers.push(number);
      if (!Number.isInteger(number)) column.integers = false;
    } else {
      column.numbers = null;
    }
  }
  if (column.booleans && !(value.toLowerCase() in TRUTH)) column.booleans = false;
  if (column.values) {
    column.values.set(value, (column.values.get(value) ?? 0) + 1);
    if (column.values.size > MAX_DISTINCT) column.values = null;
  }
}

function typeOf(column: Column): ColumnType {
  if (column.count === 0) return 'text';
  if (column.numbers) return column.integers ? 'integer' : 'number';
  if (column.booleans) return 'boolean';
  return column.values && column.values.size <= MAX_CATEGORIES ? 'category' : 'text';
}

function describe(column: Column): ColumnProfile {
  const type = typeOf(column);
  const plain: ColumnProfile = {
    name: column.name, type, count: column.count, missing: column.missing, min: null, max: null, mean: null, std: null, histogram: null, top: null,
  };
  if (column.numbers && column.count > 0) return { ...plain, ...numberStatistics(column.numbers) };
  if ((type === 'category' || type === 'boolean') && column.values) return { ...plain, top: common(column.values) };
  return plain;
}

function common(values: ReadonlyMap<string, number>): [string, number][] {
  return [...values].filter(([, count]) => count >= RARE).sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).slice(0, 12);
}

function numberStatistics(numbers: readonly number[]): Pick<ColumnProfile, 'min' | 'max' | 'mean' | 'std' | 'histogram'> {
  let [min, max, mean, squares] = [Infinity, -Infinity, 0, 0];
  // Welford: one pass that does not lose digits.
  numbers.forEach((x, i) => {
    min = Math.min(min, x);
    max = Math.max(max, x);
    const before = x - mean;
    mean += before / (i + 1);
    squares += before * (x - mean);
  });
  const std = numbers.length > 1 ? Math.sqrt(squares / (numbers.length - 1)) : 0;
  return { min, max, mean, std, histogram: histogram(numbers, min, max) };
}

function histogram(numbers: readonly number[], min: number, max: number): [number, number, number][] {
  if (min === max) return [[min, max, numbers.length]];
  const width = (max - min) / BINS;
  const counts = new Array<number>(BINS).fill(0);
  for (const x of numbers) {
    const bin = Math.min(BINS - 1, Math.floor((x - min) / width));
    counts[bin] = (counts[bin] ?? 0) + 1;
  }
  return counts.map((count, i) => [min + i * width, i === BINS - 1 ? max : min + (i + 1) * width, count]);
}

export const schemaOf = (profile: Profile): Schema => ({ columns: profile.columns.map(({ name, type }) => ({ name, type })) });

/** The profile without the statistics of the columns that the owner keeps to themselves. */
export function withoutStatistics(profile: Profile, hidden: ReadonlySet<string>): Profile {
  const bare = { min: null, max: null, mean: null, std: null, histogram: null, top: null };
  return { rows: profile.rows, columns: profile.columns.map((column) => (hidden.has(column.name) ? { ...column, ...bare } : column)) };
}

/** A made-up sample: each value drawn from its own column's published statistics, no column knowing another. */
export function mockOf(profile: Profile, rows = 20, random: () => number = Math.random): Mock {
  const drawn = profile.columns.map((column) => Array.from({ length: rows }, (_, i) => drawValue(column, i, random)));
  return { columns: profile.columns.map((column) => column.name), rows: Array.from({ length: rows }, (_, i) => drawn.map((values) => values[i] ?? null)) };
}

function drawValue(column: ColumnProfile, index: number, random: () => number): string | number | boolean | null {
  if (column.missing > 0 && random() < column.missing / (column.count + column.missing)) return null;
  if (column.histogram) {
    const [from, to] = weighted(column.histogram.map(([low, high, count]) => [[low, high] as const, count]), random) ?? [0, 0];
    const value = from + (to - from) * random();
    return column.type === 'integer' ? Math.round(value) : Number(value.toPrecision(4));
  }
  if (column.top?.length) {
    const value = weighted(column.top, random) ?? '';
    return column.type === 'boolean' ? (TRUTH[value.toLowerCase()] ?? value) : value;
  }
  return `${column.name} ${index + 1}`;
}

function weighted<T>(choices: readonly (readonly [T, number])[], random: () => number): T | undefined {
  let at = random() * choices.reduce((sum, [, weight]) => sum + weight, 0);
  for (const [value, weight] of choices) {
    at -= weight;
    if (at < 0) return value;
  }
  return choices[choices.length - 1]?.[0];
}
