import { expect, test } from 'vitest';
import { formatBps, formatBytes, formatE8s, formatNumber, formatPpm, formatRelative, formatSpan, formatUnits, shorten, words } from './format';
import { e8s, nanos, parseTokens, sumE8s } from './units';

test.each([
  ['0', '0'], ['1', '0.00000001'], ['100000000', '1'], ['123456789012', '1,234.56789012'], ['150000000', '1.5'], ['-150000000', '−1.5'],
  ['1000000000000000001', '10,000,000,000.00000001'],
])('%s e8s are written %s, to the last unit', (given, written) => {
  expect(formatE8s(given)).toBe(written);
});

test.each([
  ['12', 1_200_000_000n], ['0.5', 50_000_000n], ['0,25', 25_000_000n], [' 1.00000001 ', 100_000_001n], ['0', 0n],
])('"%s" is read as an amount', (text, amount) => {
  expect(parseTokens(text)).toBe(amount);
});

test.each(['', '-1', '1.000000001', 'abc', '1e3', '1.', '.5', '1,2,3'])('"%s" is no amount', (text) => {
  expect(parseTokens(text)).toBeNull();
});

test('amounts add up without floating point', () => {
  expect(sumE8s(['1', '9007199254740993', e8s(2n)])).toBe(9007199254740996n);
});

test('times are said as people say them', () => {
  const now = nanos(1_700_000_000_000_000_000n);
  const before = (seconds: number) => now - BigInt(seconds) * 1_000_000_000n;

  expect(formatRelative(before(2), now)).toBe('just now');
  expect(formatRelative(before(90), now)).toBe('1 minute ago');
  expect(formatRelative(before(-7_200), now)).toBe('in 2 hours');
  expect(formatRelative(before(400 * 86_400), now)).toBe('1 year ago');
});

test.each([
  ['0', '0 s'], ['5000000000', '5 s'], ['125000000000', '2 min 5 s'], ['3600000000000', '1 h'], ['90000000000000', '1 day 1 h'], ['172800000000000', '2 days'], ['-1', '0 s'],
])('a span of %s ns is %s', (ns, said) => {
  expect(formatSpan(ns)).toBe(said);
});

test('small things keep their units', () => {
  expect([formatBytes(10), formatBytes(1_400_000), formatBytes(3 * 2 ** 30)]).toEqual(['10 B', '1.3 MiB', '3.0 GiB']);
  expect([formatPpm(912_345), formatPpm(-3_000)]).toEqual(['0.9123', '−0.0030']);
  expect([formatBps(4231), formatBps(7000)]).toEqual(['42.31 %', '70 %']);
  expect([formatNumber(0.00001), formatNumber(12345.678), formatNumber(null), formatNumber(-2)]).toEqual(['1.00e−5', '12350', '–', '−2']);
  expect([formatUnits(1, 'row'), formatUnits(12_345, 'row')]).toEqual(['1 row', '12,345 rows']);
  expect([shorten('abcde-fghij-klmno-cai'), shorten('short')]).toEqual(['abcde…cai', 'short']);
  expect([words('worker_fee'), words('AutoApprove'), words('auc')]).toEqual(['Worker fee', 'Auto approve', 'AUC']);
});
