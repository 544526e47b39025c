import { expect, test } from 'vitest';
import { ChainRefused } from './errors';

test.each([
  ['AlreadyVoted', null, 'You have voted on this already; a vote cannot be changed.'],
  ['Invalid', 'title: 1 to 200 characters', 'Title: 1 to 200 characters.'],
  ['InsufficientFunds', { balance: 150_000_000n }, 'Your balance is 1.5 tokens, which is not enough.'],
  ['PriceChanged', { price_e8s: 20_000_000n }, 'The owners have changed the price to 0.2 tokens. Nothing was paid; look at the new price first.'],
  ['Stale', { current_version: 3n }, 'The policy was changed meanwhile (it is now version 3). Look at the new one before you change it.'],
  ['WrongState', { state: { Settled: null }, needed: 'proposed' }, 'That can be done only while the job is proposed; it is settled.'],
  ['GenericError', { error_code: 0n, message: 'sign in first' }, 'Sign in first.'],
  ['SomethingNew', { data: 1n }, 'The canister refused: something new.'],
])('%s is said in a sentence', (tag, payload, sentence) => {
  expect(new ChainRefused(tag, payload).message).toBe(sentence);
});
