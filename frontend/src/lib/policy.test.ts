import { expect, test } from 'vitest';
import type { Policy } from './api/types';
import { draftOf, faults, inWords, newDraft, TEMPLATES, termsOf, type PolicyDraft } from './policy';

const worker = 'rdmx6-jaaaa-aaaaa-aaadq-cai';
const asks = newDraft([worker]);
const named = (principal: string): string => (principal === worker ? 'the worker' : principal);

test('every template can be signed as it is, once a worker is named', () => {
  for (const template of TEMPLATES) expect(faults(newDraft([worker], template))).toEqual({});
});

test('a policy that lets requests through must name a worker', () => {
  expect(faults(newDraft([])).workers).toMatch(/Name at least one worker/);
  expect(faults({ ...newDraft([]), decision: 'Deny' })).toEqual({});
});

test.each<[Partial<PolicyDraft>, keyof PolicyDraft]>([
  [{ audience: [] }, 'audience'],
  [{ audience: ['me'] }, 'audience'],
  [{ purposes: [] }, 'purposes'],
  [{ purposes: ['x'.repeat(61)] }, 'purposes'],
  [{ code: ['zz'] }, 'code'],
  [{ columns: [] }, 'columns'],
  [{ price: '-1' }, 'price'],
  [{ price: '' }, 'price'],
  [{ max_uses: '0' }, 'max_uses'],
  [{ expires: '2001-01-01' }, 'expires'],
  [{ expires: 'soon' }, 'expires'],
  [{ epsilon: '0' }, 'epsilon'],
])('%j is refused at its field', (change, field) => {
  expect(Object.keys(faults({ ...asks, ...change }))).toEqual([field]);
});

test('the terms that are signed say what was typed', () => {
  const draft: PolicyDraft = { ...asks, decision: 'AutoApprove', audience: ['a'], purposes: ['research'], code: ['ff'.repeat(32)], columns: ['age'], price: '1.5', max_uses: '3', epsilon: '2', expires: '2100-01-31' };

  const terms = termsOf(draft, (text) => `<${text}>`);

  expect(terms).toMatchObject({
    audience: { Principals: ['<a>'] },
    purposes: { Listed: ['research'] },
    compute: { Central: null },
    columns: [['age']],
    price_e8s: 150_000_000n,
    max_uses: [3n],
    max_epsilon_micros: [2_000_000n],
    decision: { AutoApprove: null },
    workers: [`<${worker}>`],
  });
  expect(terms.expires_at_ns[0]).toBe(BigInt(new Date('2100-01-31T23:59:59').getTime()) * 1_000_000n);
});

test('nothing said means no limit', () => {
  expect(termsOf(asks, (text) => text)).toMatchObject({ audience: { Anyone: null }, purposes: { Any: null }, code: { Any: null }, columns: [], max_uses: [], expires_at_ns: [], max_epsilon_micros: [] });
});

test('a policy on the chain comes back as the draft that makes it', () => {
  const policy = {
    version: 2, audience: 'Anyone', purposes: { Listed: ['research'] }, code: 'Any', compute: 'Either', columns: null, price_e8s: '1234500000000', max_uses: 4,
    expires_at_ns: null, max_epsilon_micros: 2_500_000, decision: 'Ask', workers: [worker], set_at_ns: '1', sentence: '', proof: { canister: 'x', block: 1 },
  } as unknown as Policy;

  const draft = draftOf(policy);

  expect(draft).toMatchObject({ audience: null, purposes: ['research'], compute: 'Either', price: '12345', max_uses: '4', epsilon: '2.5' });
  expect(faults(draft)).toEqual({});
  expect(termsOf(draft, (text) => text).price_e8s).toBe(1_234_500_000_000n);
});

test('a policy is said in plain words', () => {
  const lines = inWords({ ...asks, price: '2', purposes: ['research', 'education'] }, 'CWT', named, () => 'the code');

  expect(lines).toEqual([
    'Anyone may ask to train on it, for "research" or "education" only, with any code.',
    'A request that fits waits for your word. Without it, nothing happens.',
    'Each job pays you 2 CWT.',
    'All columns may be used.',
    'The key that opens the data may go to the worker.',
  ]);
  expect(inWords({ ...asks, decision: 'Deny' }, 'CWT', named, () => '')).toEqual(['Every request is denied. Nobody can use this dataset.']);
});
