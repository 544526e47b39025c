// A policy while it is being written: what a person types, the templates they start from, the sentence that says it, the terms to sign.
import type { Policy } from './api/types';
import { fromHex } from './bytes';
import type { PolicyTermsArg } from './contracts/registry';
import { formatE8s, formatUnits } from './format';
import { fromDate, parseTokens } from './units';

export interface PolicyDraft {
  decision: 'AutoApprove' | 'Ask' | 'Deny';
  /** Principals; null: anyone. */
  audience: string[] | null;
  /** Purposes; null: any. */
  purposes: string[] | null;
  /** Hashes of recipes' code, hex; null: any. */
  code: string[] | null;
  compute: 'Central' | 'Federated' | 'Either';
  /** Columns; null: all. */
  columns: string[] | null;
  /** As typed, in tokens. */
  price: string;
  /** As typed; empty: no limit. */
  max_uses: string;
  /** A date (yyyy-mm-dd); empty: none. */
  expires: string;
  /** Differential privacy, as typed; empty: no promise asked. */
  epsilon: string;
  /** Principals of workers that may be given the content key. */
  workers: string[];
}

export type PolicyFault = Partial<Record<keyof PolicyDraft, string>>;

export interface PolicyTemplate {
  name: string;
  about: string;
  change: Partial<PolicyDraft>;
}

const BLANK: PolicyDraft = {
  decision: 'Ask', audience: null, purposes: null, code: null, compute: 'Central', columns: null, price: '0', max_uses: '', expires: '', epsilon: '', workers: [],
};

export const TEMPLATES: readonly PolicyTemplate[] = [
  { name: 'Ask me each time', about: 'Every request waits for your word.', change: { decision: 'Ask' } },
  { name: 'Open', about: 'Anyone, for anything; approved without you.', change: { decision: 'AutoApprove', price: '0' } },
  { name: 'Research only', about: 'The purposes you list, approved without you.', change: { decision: 'AutoApprove', purposes: ['research'], price: '0' } },
  { name: 'For a price', about: 'Anyone who pays, approved without you.', change: { decision: 'AutoApprove', price: '10' } },
  { name: 'Closed', about: 'No request is let through.', change: { decision: 'Deny' } },
];

export const newDraft = (workers: string[], template: PolicyTemplate = TEMPLATES[0] as PolicyTemplate): PolicyDraft => ({ ...BLANK, workers, ...template.change });

export function draftOf(policy: Policy): PolicyDraft {
  return {
    decision: policy.decision,
    audience: policy.audience === 'Anyone' ? null : policy.audience.Principals,
    purposes: policy.purposes === 'Any' ? null : policy.purposes.Listed,
    code: policy.code === 'Any' ? null : policy.code.Listed,
    compute: policy.compute,
    columns: policy.columns,
    price: formatE8s(policy.price_e8s).replaceAll(',', ''),
    max_uses: policy.max_uses === null ? '' : String(policy.max_uses),
    expires: policy.expires_at_ns === null ? '' : new Date(Number(BigInt(policy.expires_at_ns) / 1_000_000n)).toISOString().slice(0, 10),
    epsilon: policy.max_epsilon_micros === null ? '' : String(policy.max_epsilon_micros / 1e6),
    workers: policy.workers,
  };
}

const PRINCIPAL = /^([a-z0-9]{5}-)+[a-z0-9]{1,5}$/;

/** What is wrong with a draft, by field; empty when it can be signed. */
export function faults(draft: PolicyDraft, now = new Date()): PolicyFault {
  const found: PolicyFault = {};
  if (draft.audience && draft.audience.length === 0) found.audience = 'Name at least one principal, or let anyone ask.';
  const stranger = draft.audience?.find((text) => !PRINCIPAL.test(text));
  if (stranger !== undefined) found.audience = `"${stranger}" is not a principal.`;
  if (draft.purposes && draft.purposes.length === 0) found.purposes = 'List at least one purpose, or allow any.';
  if (draft.purposes?.some((text) => text.length > 60)) found.purposes = 'A purpose has at most 60 characters.';
  if (draft.code && draft.code.length === 0) found.code = 'Choose at least one recipe, or allow any code.';
  if (draft.code?.some((text) => !/^[0-9a-f]{64}$/.test(text))) found.code = 'A code hash has 64 hex digits.';
  if (draft.columns && draft.columns.length === 0) found.columns = 'Choose at least one column, or offer all.';
  if (parseTokens(draft.price) === null) found.price = 'An amount of tokens with at most 8 decimals, such as 12.5.';
  if (draft.max_uses && !/^[1-9]\d{0,8}$/.test(draft.max_uses)) found.max_uses = 'A whole number from 1, or nothing for no limit.';
  if (draft.expires && !(endOf(draft.expires) > now)) found.expires = 'A date that is still to come, or nothing.';
  if (draft.epsilon && !(Number(draft.epsilon) > 0 && Number(draft.epsilon) <= 1_000)) found.epsilon = 'A number above 0, such as 3, or nothing.';
  if (draft.decision !== 'Deny' && draft.workers.length === 0) found.workers = 'Name at least one worker that may be given the key, or deny every request.';
  return found;
}

/** The end of a day, local time. An invalid date compares as false with everything. */
const endOf = (day: string): Date => new Date(`${day}T23:59:59`);

/** The terms as the registry takes them. `principal`: parses one (the agent's). Call only when `faults` finds none. */
export function termsOf<P>(draft: PolicyDraft, principal: (text: string) => P) {
  const opt = <T>(value: T | null): [] | [T] => (value === null ? [] : [value]);
  return {
    audience: draft.audience ? { Principals: draft.audience.map(principal) } : { Anyone: null },
    purposes: draft.purposes ? { Listed: draft.purposes } : { Any: null },
    code: draft.code ? { Listed: draft.code.map(fromHex) } : { Any: null },
    compute: { [draft.compute]: null },
    columns: opt(draft.columns),
    price_e8s: parseTokens(draft.price) ?? 0n,
    max_uses: opt(draft.max_uses ? BigInt(draft.max_uses) : null),
    expires_at_ns: opt(draft.expires ? (fromDate(endOf(draft.expires)) as bigint) : null),
    max_epsilon_micros: opt(draft.epsilon ? BigInt(Math.round(Number(draft.epsilon) * 1e6)) : null),
    decision: { [draft.decision]: null },
    workers: draft.workers.map(principal),
  } as unknown as PolicyTermsArg;
}

/** What a policy says, in plain words. `named`: how to call a principal; `recipe`: how to call a code hash. */
export function inWords(draft: PolicyDraft, symbol: string, named: (principal: string) => string, recipe: (hash: string) => string): string[] {
  if (draft.decision === 'Deny') return ['Every request is denied. Nobody can use this dataset.'];
  const who = draft.audience ? listed(draft.audience.map(named), 'or') : 'Anyone';
  const why = draft.purposes ? `for ${listed(draft.purposes.map((p) => `"${p}"`), 'or')} only` : 'for any purpose';
  const how = draft.code ? `with ${listed(draft.code.map(recipe), 'or')} only` : 'with any code';
  const price = parseTokens(draft.price);
  const lines = [
    `${who} may ask to train on it, ${why}, ${how}.`,
    draft.decision === 'AutoApprove' ? 'A request that fits is approved at once, without asking you.' : 'A request that fits waits for your word. Without it, nothing happens.',
    price && price > 0n ? `Each job pays you ${formatE8s(price)} ${symbol}.` : 'A job pays nothing for the data itself; your share of the model stays yours.',
    draft.columns ? `Only ${formatUnits(draft.columns.length, 'column')} may be used: ${listed(draft.columns, 'and')}.` : 'All columns may be used.',
    `The key that opens the data may go to ${listed(draft.workers.map(named), 'or')}.`,
  ];
  if (draft.compute !== 'Central') lines.push(draft.compute === 'Federated' ? 'Only federated training: the data is not moved.' : 'Central or federated training.');
  if (draft.max_uses) lines.push(`After ${formatUnits(Number(draft.max_uses), 'use')} no further one is allowed.`);
  if (draft.expires) lines.push(`It ends with ${new Date(`${draft.expires}T12:00:00`).toLocaleDateString('en-GB', { dateStyle: 'long' })}.`);
  if (draft.epsilon) lines.push(`The job must promise differential privacy with epsilon ${draft.epsilon} or less.`);
  return lines;
}

function listed(items: readonly string[], last: 'and' | 'or'): string {
  if (items.length < 2) return items[0] ?? 'nobody';
  return `${items.slice(0, -1).join(', ')} ${last} ${items[items.length - 1]}`;
}
