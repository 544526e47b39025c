import { screen, within } from '@testing-library/react';
import { afterEach, expect, test } from 'vitest';
import { createDeviceIdentity } from '@/lib/identity/keys';
import { adoptIdentity, signOut } from '@/lib/identity/session';
import type { Proposal } from '@/lib/api/types';
import { proposal } from '@/testing/builders';
import { fakeApi, show } from '@/testing/page';
import { ProposalPage } from '.';
import { met, thresholds } from './Tally';

afterEach(signOut);

const canister = 'br5f7-7uaaa-aaaaa-qaaca-cai';

function showProposal(one: Proposal) {
  fakeApi({ [`models/${canister}/proposals/1`]: one });
  return show(<ProposalPage />, { at: `/models/${canister}/proposals/1`, path: '/models/:canister/proposals/:id' });
}

async function me() {
  const identity = await createDeviceIdentity();
  await adoptIdentity(identity);
  return identity.principal;
}

const ballot = (owner: string, vote: 'yes' | 'no' | null) => [{ owner, shares: 3366, vote, at_ns: null }];

test('a proposal shows what changes beside what is live, the tally, and both thresholds', async () => {
  showProposal(proposal());

  const metrics = await screen.findByRole('table', { name: 'Metrics' });
  expect(within(metrics).getByText('0.9600')).toBeVisible();
  expect(within(metrics).getByText('0.9500')).toBeVisible();
  expect(within(metrics).getByText('+0.0100')).toBeVisible();
  expect(screen.getByRole('img', { name: 'Yes 30 %, no 10 % of all shares' })).toBeVisible();
  expect(screen.getByText(/30\.0 % yes, of all shares; 3 % needed ✓/)).toBeVisible();
  expect(screen.getByText(/75\.0 % yes, of what was cast; more than 50 % needed ✓/)).toBeVisible();
  expect(screen.getByRole('button', { name: 'Sign in to vote' })).toBeVisible();
});

test('a holder can vote, once, and reads first that a vote cannot be changed', async () => {
  const mine = await me();
  const { user } = showProposal(proposal({ ballots: ballot(mine, null) }));

  expect(await screen.findByText('You have 33.66 % of the votes.')).toBeVisible();
  await user.click(screen.getByRole('button', { name: 'Vote no' }));

  const sheet = await screen.findByRole('dialog');
  expect(within(sheet).getByText('A vote cannot be changed.')).toBeVisible();
  expect(within(sheet).getByText('33.66 % of the votes are counted as no.')).toBeVisible();
});

test.each<[string, (owner: string) => Partial<Proposal>, RegExp]>([
  ['who has voted', (owner) => ({ ballots: ballot(owner, 'yes') }), /You voted yes/],
  ['who held nothing', () => ({ ballots: [] }), /You held no shares when this was proposed/],
  ['who comes too late', (owner) => ({ ballots: ballot(owner, null), state: 'rejected' }), /The vote is closed/],
])('%s cannot vote, and reads why', async (_, change, said) => {
  const mine = await me();
  showProposal(proposal(change(mine)));

  expect(await screen.findByText(said)).toBeVisible();
  expect(screen.queryByRole('button', { name: /^Vote (yes|no)$/ })).toBeNull();
});

test('a release that was adopted but failed says so, and that the former one is still live', async () => {
  showProposal(proposal({ state: 'failed', log: [{ btype: 'proposal_failed', title: 'Failed: the answers differ', at_ns: '1700000000000000000' as never, proof: { canister, block: 9 } }] }));

  expect(await screen.findByText(/Failed: the answers differ\. The release that was live before still is\./)).toBeVisible();
});

test.each([
  [{ yes: 300, no: 0, total: 10_000, critical: false }, [true, true]],
  [{ yes: 299, no: 0, total: 10_000, critical: false }, [false, true]],
  [{ yes: 400, no: 400, total: 10_000, critical: false }, [true, false]],
  [{ yes: 2_000, no: 900, total: 10_000, critical: true }, [true, true]],
  [{ yes: 1_999, no: 0, total: 10_000, critical: true }, [false, true]],
  [{ yes: 6_600, no: 3_400, total: 10_000, critical: true }, [true, false]],
  [{ yes: 0, no: 0, total: 10_000, critical: false }, [false, false]],
])('the thresholds of %j are those of the cooperative', (votes, expected) => {
  expect(thresholds(votes).map(met)).toEqual(expected);
});
