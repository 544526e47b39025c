// A canister's refusal in a sentence: what it said, and what to do.
import { formatE8s, words } from '@/lib/format';

/** A canister answered `Err`. `tag` is the variant's name. */
export class ChainRefused extends Error {
  override readonly name = 'ChainRefused';

  constructor(
    readonly tag: string,
    readonly payload: unknown,
  ) {
    super(sentence(tag, payload));
  }
}

const FIXED: Readonly<Record<string, string>> = {
  Withdrawn: 'The dataset is withdrawn. Restore it first.',
  Busy: 'The canister is still working on another call for this. Wait a moment and try again.',
  NoShares: 'Only those who held shares when this was proposed can do that.',
  AlreadyVoted: 'You have voted on this already; a vote cannot be changed.',
  NotLive: 'This model has no live release yet, so it cannot answer. Its owners must adopt one first.',
  TooOld: "Your computer's clock is behind the network's. Set it right and try again.",
  TemporarilyUnavailable: 'The ledger cannot take calls at the moment. Try again soon.',
  UnknownChunk: 'The release does not name this chunk.',
};

function sentence(tag: string, payload: unknown): string {
  const fixed = FIXED[tag];
  if (fixed) return fixed;
  if (typeof payload === 'string') return asSentence(payload, tag);
  const data = (payload ?? {}) as Record<string, unknown>;
  switch (tag) {
    case 'NotOwner':
      return `Only the owner can do that: ${String(data.owner)}.`;
    case 'NotBuilder':
      return `Only the builder of this job can do that: ${String(data.builder)}.`;
    case 'Stale':
      return `The policy was changed meanwhile (it is now version ${String(data.current_version)}). Look at the new one before you change it.`;
    case 'WrongState':
      return `That can be done only while the job is ${String(data.needed)}; it is ${variantTag(data.state)}.`;
    case 'NotFunded':
      return `${formatE8s(data.needed_e8s as bigint)} tokens are needed: ${String(data.reason)}.`;
    case 'InsufficientFunds':
      return `Your balance is ${formatE8s(data.balance as bigint)} tokens, which is not enough.`;
    case 'InsufficientAllowance':
      return 'The amount approved is smaller than what is asked. Approve the amount and the fee.';
    case 'PriceChanged':
      return `The owners have changed the price to ${formatE8s(data.price_e8s as bigint)} tokens. Nothing was paid; look at the new price first.`;
    case 'BadFee':
      return `The ledger's fee is now ${formatE8s(data.expected_fee as bigint)} tokens. Try again.`;
    case 'Duplicate':
      return `The ledger has this transaction already, in block ${String(data.duplicate_of)}.`;
    case 'GenericError':
      return asSentence(String(data.message), tag);
    case 'AlreadyExists':
      return 'This job has a cooperative already.';
    default:
      return `The canister refused: ${words(tag).toLowerCase()}.`;
  }
}

function asSentence(text: string, tag: string): string {
  const said = text.trim() || words(tag);
  return `${said.charAt(0).toUpperCase()}${said.slice(1)}${/[.!?]$/.test(said) ? '' : '.'}`;
}

/** `{Voting: null}` -> "voting". */
export function variantTag(value: unknown): string {
  return words(Object.keys((value ?? {}) as object)[0] ?? '').toLowerCase();
}
