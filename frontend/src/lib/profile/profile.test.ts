import { expect, test } from 'vitest';
import { BadCsv, mockOf, Profiler, RARE, schemaOf, withoutStatistics } from './profile';

function profileOf(header: string[], rows: string[][]) {
  const profiler = new Profiler();
  profiler.start(header);
  for (const row of rows) profiler.add(row);
  return profiler.finish();
}

const column = (values: string[]) => {
  const [only] = profileOf(['x'], values.map((value) => [value])).columns;
  if (!only) throw new Error('no column');
  return only;
};

test.each([
  [['1', '2', '-3'], 'integer'],
  [['1', '2.5', '1e-3'], 'number'],
  [['true', 'False', 'yes'], 'boolean'],
  [['red', 'green', 'red'], 'category'],
  [Array.from({ length: 60 }, (_, i) => `name ${i}`), 'text'],
  [['', 'NA', ''], 'text'],
  [['1', 'two'], 'category'],
])('%j is of type %s', (values, type) => {
  expect(column(values).type).toBe(type);
});

test('numbers have exact statistics and a histogram that counts each once', () => {
  const x = column(['1', '2', '3', '4', '', 'nan']);

  expect(x).toMatchObject({ count: 4, missing: 2, min: 1, max: 4, mean: 2.5 });
  expect(x.std).toBeCloseTo(1.2909944, 6);
  expect(x.histogram?.reduce((sum, [, , count]) => sum + count, 0)).toBe(4);
});

test('a column of one value has one bar', () => {
  expect(column(['7', '7']).histogram).toEqual([[7, 7, 2]]);
});

test('values that few rows share are not named', () => {
  const values = [...new Array<string>(RARE).fill('common'), ...new Array<string>(RARE - 1).fill('rare')];

  expect(column(values).top).toEqual([['common', RARE]]);
  expect(column(Array.from({ length: 60 }, (_, i) => `name ${i}`)).top).toBeNull();
});

test.each([
  [['a', ''], [], /Column 2 has no name/],
  [['a', 'a'], [], /Two columns are named "a"/],
  [['a', 'b'], [['1']], /Line 2 has 1 values/],
  [['a'], [], /no rows/],
])('a broken file is refused with the place that is wrong (%j)', (header, rows, said) => {
  expect(() => profileOf(header, rows as string[][])).toThrow(BadCsv);
  expect(() => profileOf(header, rows as string[][])).toThrow(said);
});

test('no row of the sample is a row of the data, and it keeps to the ranges', () => {
  const rows = Array.from({ length: 200 }, (_, i) => [String(i), String(i * 1000 + 0.5), i % 2 ? 'yes' : 'no', i % 3 ? 'a' : 'b', `person ${i}`]);
  const profile = profileOf(['id', 'salary', 'member', 'group', 'name'], rows);

  const mock = mockOf(profile, 50);

  expect(mock.rows).toHaveLength(50);
  const real = new Set(rows.map((row) => row.join()));
  for (const row of mock.rows) {
    expect(real.has(row.join())).toBe(false);
    expect(row[0]).toBeGreaterThanOrEqual(0);
    expect(row[0]).toBeLessThanOrEqual(199);
    expect([true, false]).toContain(row[2]);
    expect(row[4]).toMatch(/^name \d+$/);
  }
});

test('a column kept to oneself shows its name and type only, and the sample does not give it away', () => {
  const profile = withoutStatistics(profileOf(['a', 'b'], [['1', '10'], ['2', '20']]), new Set(['b']));

  expect(profile.columns[1]).toEqual({ name: 'b', type: 'integer', count: 2, missing: 0, min: null, max: null, mean: null, std: null, histogram: null, top: null });
  expect(mockOf(profile, 3).rows.map((row) => row[1])).toEqual(['b 1', 'b 2', 'b 3']);
  expect(schemaOf(profile).columns).toEqual([{ name: 'a', type: 'integer' }, { name: 'b', type: 'integer' }]);
});
