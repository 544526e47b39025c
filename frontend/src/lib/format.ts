// How numbers, times and ids are written, everywhere. Units always; ids shortened, never altered.
import { E8S_PER_TOKEN, NS_PER_MS, nanos } from './units';

const grouped = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });

/** Whole numbers with separators: 12,345. */
export const formatCount = (value: number | bigint): string => grouped.format(value);

/** "1 row", "12,345 rows". */
export const formatUnits = (count: number | bigint, one: string, many = `${one}s`): string =>
  `${formatCount(count)} ${count === 1 || count === 1n ? one : many}`;

/** An amount with all its decimals and nothing after them: "1,234.5". Exact: no floating point. */
export function formatE8s(value: bigint | string): string {
  const amount = BigInt(value);
  const size = amount < 0n ? -amount : amount;
  const decimals = (size % E8S_PER_TOKEN).toString().padStart(8, '0').replace(/0+$/, '');
  const whole = grouped.format(size / E8S_PER_TOKEN);
  return `${amount < 0n ? '−' : ''}${whole}${decimals ? `.${decimals}` : ''}`;
}

export const formatTokens = (value: bigint | string, symbol: string): string => `${formatE8s(value)} ${symbol}`;

/** Millionths as a number: 912345 -> "0.9123". */
export const formatPpm = (ppm: number, digits = 4): string => (ppm / 1e6).toFixed(digits).replace('-', '−');
/** Millionths as percent: 912345 -> "91.2 %". */
export const formatPpmPercent = (ppm: number, digits = 1): string => `${(ppm / 1e4).toFixed(digits).replace('-', '−')} %`;
/** Basis points as percent: 4231 -> "42.31 %", 7000 -> "70 %". */
export const formatBps = (bps: number): string => `${(bps / 100).toFixed(2).replace(/\.00$/, '')} %`;

export function formatBytes(bytes: number | bigint): string {
  let size = Number(bytes);
  if (size < 1024) return `${size} B`;
  for (const unit of ['KiB', 'MiB', 'GiB', 'TiB']) {
    size /= 1024;
    if (size < 1024 || unit === 'TiB') return `${size < 10 ? size.toFixed(1) : Math.round(size)} ${unit}`;
  }
  return `${size} TiB`;
}

/** A statistic, short but never rounded to nothing. */
export function formatNumber(value: number | null | undefined): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return '–';
  const size = Math.abs(value);
  if (Number.isInteger(value) && size < 1e9) return grouped.format(value).replace('-', '−');
  if (size !== 0 && (size >= 1e7 || size < 1e-3)) return value.toExponential(2).replace('-', '−');
  return Number(value.toPrecision(4)).toString().replace('-', '−');
}

const absolute = new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeStyle: 'medium' });
export const formatAbsolute = (ns: bigint | string): string => absolute.format(Number(BigInt(ns) / NS_PER_MS));

const STEPS: [unit: Intl.RelativeTimeFormatUnit, seconds: number][] = [
  ['year', 31_536_000],
  ['month', 2_592_000],
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60],
  ['second', 1],
];
const relative = new Intl.RelativeTimeFormat('en', { numeric: 'always' });

/** "5 minutes ago", "in 2 hours", "just now". */
export function formatRelative(ns: bigint | string, now: bigint): string {
  const seconds = Math.round(Number(BigInt(ns) - now) / 1e9);
  if (Math.abs(seconds) < 5) return 'just now';
  const [unit, size] = STEPS.find(([, step]) => Math.abs(seconds) >= step) ?? ['second', 1];
  return relative.format(Math.trunc(seconds / size), unit);
}

/** A span: "2 min 5 s", "3 days". At most two units. */
export function formatSpan(ns: bigint | string): string {
  let rest = Number(nanos(ns) / 1_000_000_000n);
  if (rest <= 0) return '0 s';
  const parts: string[] = [];
  for (const [size, one, many] of [[86_400, 'day', 'days'], [3_600, 'h', 'h'], [60, 'min', 'min'], [1, 's', 's']] as const) {
    const count = Math.floor(rest / size);
    if (count > 0) parts.push(`${count} ${count === 1 ? one : many}`);
    rest -= count * size;
    if (parts.length === 2 || (parts.length === 1 && count === 0)) break;
  }
  return parts.join(' ');
}

/** The ends of an id: enough to compare by eye. The whole is one focus away. */
export function shorten(text: string, head = 5, tail = 3): string {
  return text.length <= head + tail + 1 ? text : `${text.slice(0, head)}…${text.slice(-tail)}`;
}

const ACRONYMS: Readonly<Record<string, string>> = { auc: 'AUC', f1: 'F1', mse: 'MSE' };

/** Upper-case first letter; underscores as spaces. */
export const words = (tag: string): string => {
  const acronym = ACRONYMS[tag];
  if (acronym) return acronym;
  const spaced = tag.replace(/([a-z])([A-Z])/g, '$1 $2').replaceAll('_', ' ').toLowerCase();
  return spaced.charAt(0).toUpperCase() + spaced.slice(1);
};
