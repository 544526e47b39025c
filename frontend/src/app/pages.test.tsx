// The inbox, earnings, tokens, registering and looking around: what each says, and what it refuses.
import { screen, within } from '@testing-library/react';
import { afterEach, expect, test } from 'vitest';
import { AccountPage, MyEarningsPage } from '@/features/earnings';
import { ActivityPage, DatasetsPage, JobsPage, ModelsPage } from '@/features/explore';
import { RequestsPage } from '@/features/requests';
import { TokensPage } from '@/features/tokens';
import { expiryOf } from '@/features/tokens/NewToken';
import { keepContentKey } from '@/lib/content-keys';
import { createDeviceIdentity } from '@/lib/identity/keys';
import { adoptIdentity, signOut } from '@/lib/identity/session';
import { ANNA, approval, BEN, dataset, job, model, request, WORKER } from '@/testing/builders';
import { fakeApi, page, refusal, show, type Answers } from '@/testing/page';

afterEach(signOut);

const challenge = 'cd'.repeat(32);
const SIGN_IN: Answers = {
  'auth/challenge': { challenge, message: `13636f6d6d6f6e7765696768742d7369676e696e${challenge}`, expires_at_ns: '1' },
  'auth/sign-in': { session: 'cws_1', principal: 'x', expires_at_ns: '1' },
};
const WORKERS = [{ principal: WORKER, name: 'embedded worker', encryption_key: '04', registered_at_ns: '1', proof: { canister: 'x', block: 0 } }];

async function me() {
  const identity = await createDeviceIdentity();
  await adoptIdentity(identity);
  return identity.principal;
}

test('looking around: datasets say what they allow; a filter that fits nothing says so; an empty market teaches the first step', async () => {
  fakeApi({ datasets: page(dataset()), 'datasets?search=zebra&page=1&page_size=20': page() });
  const { user } = show(<DatasetsPage />);

  expect(await screen.findByRole('link', { name: 'Reeds by the lake' })).toHaveAttribute('href', '/datasets/7');
  expect(screen.getByText('Anyone may ask; the owner decides.')).toBeVisible();
  await user.type(screen.getByRole('searchbox', { name: 'Search' }), 'zebra');
  // The filter goes into the address, and the list follows it.
  expect(await screen.findByText(/No dataset fits these filters|Reeds by the lake/)).toBeVisible();
});

test.each([
  [<DatasetsPage key="d" />, 'datasets', 'No dataset is registered here yet'],
  [<ModelsPage key="m" />, 'models', 'No model has been founded yet'],
  [<JobsPage key="j" />, 'jobs', 'No job has been proposed yet'],
  [<ActivityPage key="a" />, 'activity', 'Nothing has happened yet'],
])('an empty list says what comes there (%#)', async (element, path, said) => {
  fakeApi({ [path]: page() });
  show(element);

  expect(await screen.findByText(said)).toBeVisible();
});

test('models and jobs are listed with where they stand', async () => {
  fakeApi({ models: page({ ...model(), holders: 2 }), jobs: page(job()) });
  show(
    <>
      <ModelsPage />
      <JobsPage />
    </>,
  );

  expect(await screen.findByText('Its owners have not adopted a release yet.')).toBeVisible();
  expect(within(await screen.findByRole('table', { name: 'Jobs' })).getByText('Waits for approvals')).toBeVisible();
});

test('the inbox asks for a key first', async () => {
  fakeApi({});
  show(<RequestsPage />);
  signOut();

  expect(await screen.findByText('Sign in with your own key')).toBeVisible();
});

test('a request says who asks, for what, until when and what it brings; approving names the workers', async () => {
  const mine = await me();
  const asked = dataset({ owner: mine });
  await keepContentKey({ owner: mine, manifest_hash: asked.versions[0]?.manifest_hash ?? '', ciphertext_root: 'ab'.repeat(32), title: 'x' }, new Uint8Array(32));
  fakeApi({ ...SIGN_IN, requests: page(request({ waiting: [approval({ owner: mine })] })), 'jobs/4': job(), 'datasets/7': asked, workers: WORKERS });
  const { user } = show(<RequestsPage />);

  expect(await screen.findByRole('heading', { name: 'Reeds or shrubs' })).toBeVisible();
  expect(screen.getByText('research')).toBeVisible();
  expect(await screen.findByText(/left$/)).toBeVisible();
  await user.click(await screen.findByRole('button', { name: 'Approve this request' }));
  const sheet = await screen.findByRole('dialog');
  expect(within(sheet).getByText(/1 worker will be able to open that version/)).toBeVisible();
  await user.click(within(sheet).getByRole('button', { name: 'Not now' }));

  await user.click(screen.getByRole('button', { name: 'Deny' }));
  expect(screen.getByRole('button', { name: 'Deny this request' })).toBeDisabled();
  await user.type(screen.getByLabelText('Why not'), 'Not for this purpose.');
  await user.click(screen.getByRole('button', { name: 'Deny this request' }));
  expect(within(await screen.findByRole('dialog')).getByText(/Not for this purpose\./)).toBeVisible();
});

test('without the key in this browser, approving asks for the key file, and refuses a wrong one', async () => {
  const mine = await me();
  fakeApi({ ...SIGN_IN, requests: page(request({ waiting: [approval({ owner: mine })] })), 'jobs/4': job(), 'datasets/7': dataset({ owner: mine }), workers: WORKERS });
  const { user } = show(<RequestsPage />);

  expect(await screen.findByText('This browser does not hold the key of this dataset')).toBeVisible();
  expect(screen.queryByRole('button', { name: 'Approve this request' })).toBeNull();
  const input = document.querySelector<HTMLInputElement>('input[type=file]');
  if (!input) throw new Error('there is no file input');
  await user.upload(input, new File(['{}'], 'key.json', { type: 'application/json' }));
  await user.click(screen.getByRole('button', { name: 'Load the key' }));
  expect(await screen.findByText('This is not a key file of Commonweight.')).toBeVisible();
});

const earnings = (principal: string) => ({
  principal, balance_e8s: '250000000', earned_e8s: '300000000', claimed_e8s: '100000000',
  claimable: [
    { kind: 'job', job_id: 4, model: null, name: 'Reeds or shrubs', amount_e8s: '200000000' },
    { kind: 'model', job_id: null, model: 'br5f7-7uaaa-aaaaa-qaaca-cai', name: 'The model', amount_e8s: '9999' },
  ],
  by_model: [{ model: 'br5f7-7uaaa-aaaaa-qaaca-cai', name: 'The model', amount_e8s: '100000000' }],
  by_dataset: [{ dataset_id: 7, title: 'Reeds by the lake', amount_e8s: '200000000' }],
  entries: [{ kind: 'price', amount_e8s: '200000000', at_ns: '1700000000000000000', job_id: 4, model: null, dataset_id: 7, proof: { canister: 'x', block: 10 } }],
});

test('earnings: what can be claimed has a button; what is below the fee says why it has none', async () => {
  const mine = await me();
  fakeApi({ [`accounts/${mine}/earnings`]: earnings(mine), [`accounts/${mine}/transfers`]: page() });
  const { user } = show(<MyEarningsPage />);

  const claimable = await screen.findByRole('table', { name: 'Claimable' });
  expect(await within(claimable).findByText(/less than the ledger's fee/)).toBeVisible();
  await user.click(within(claimable).getByRole('button', { name: 'Claim from Reeds or shrubs' }));
  expect(within(await screen.findByRole('dialog')).getByText(/1\.9999/)).toBeVisible();
});

test("somebody else's account can be seen, and nothing of it claimed", async () => {
  fakeApi({ [`accounts/${ANNA}`]: { principal: ANNA, datasets: 1, models: 1, jobs: 0, balance_e8s: '0' }, [`accounts/${ANNA}/earnings`]: earnings(ANNA), [`accounts/${ANNA}/transfers`]: page() });
  show(<AccountPage />, { at: `/accounts/${ANNA}`, path: '/accounts/:principal' });

  expect(await screen.findByText('Theirs to claim')).toBeVisible();
  expect(screen.queryByRole('button', { name: /^Claim from/ })).toBeNull();
  expect(screen.queryByRole('button', { name: 'Send tokens' })).toBeNull();
});

test('sending more than the balance, or to nobody, is refused before anything is signed', async () => {
  const mine = await me();
  fakeApi({ [`accounts/${mine}/earnings`]: earnings(mine), [`accounts/${mine}/transfers`]: page() });
  const { user } = show(<MyEarningsPage />);

  await user.click(await screen.findByRole('button', { name: 'Send tokens' }));
  const dialog = await screen.findByRole('dialog');
  await user.type(within(dialog).getByLabelText('To'), 'nobody');
  await user.type(within(dialog).getByLabelText('Amount'), '2.5');
  expect(within(dialog).getByText('Not a principal.')).toBeVisible();
  expect(within(dialog).getByText('More than your balance, with the fee.')).toBeVisible();
  expect(within(dialog).getByRole('button', { name: 'Review and sign' })).toBeDisabled();
  await user.clear(within(dialog).getByLabelText('To'));
  await user.type(within(dialog).getByLabelText('To'), BEN);
  await user.clear(within(dialog).getByLabelText('Amount'));
  await user.type(within(dialog).getByLabelText('Amount'), '2.4999');
  expect(within(dialog).getByRole('button', { name: 'Review and sign' })).toBeEnabled();
});

test('an API token: the secret is shown once, the delegation has the targets that were asked for', async () => {
  await me();
  const token = { id: 3, name: 'laptop', public_key: '00', targets: ['ryjl3-tyaaa-aaaaa-aaaba-cai'], expires_at_ns: null, created_at_ns: '1700000000000000000', last_used_at_ns: null, state: 'pending' };
  const publicKey = `302a300506032b6570032100${'11'.repeat(32)}`;
  const { asked } = fakeApi({
    ...SIGN_IN,
    'GET tokens': page(),
    'POST tokens': { ...token, delegation_request: { public_key: publicKey, targets: token.targets, max_expires_at_ns: '4000000000000000000' } },
    'tokens/3/activate': { ...token, state: 'active', secret: 'cwt_secret' },
  });
  const { user } = show(<TokensPage />);

  await user.type(await screen.findByLabelText('Name'), 'laptop');
  await user.click(screen.getByRole('button', { name: 'Review and sign' }));
  const sheet = await screen.findByRole('dialog');
  expect(within(sheet).getByText(/includes spending your tokens/)).toBeVisible();
  await user.click(within(sheet).getByRole('button', { name: 'Make this token' }));

  expect(await screen.findByText('cwt_secret')).toBeVisible();
  const activated = asked.find((one) => one.path === 'tokens/3/activate');
  const { delegation } = JSON.parse(String(activated?.body)) as { delegation: { delegations: { delegation: { pubkey: string; targets: string[] } }[] } };
  expect(delegation.delegations).toHaveLength(1);
  expect(delegation.delegations[0]?.delegation.pubkey).toBe(publicKey);
  expect(delegation.delegations[0]?.delegation.targets).toHaveLength(1);
});

test('a server that refuses a token is quoted, and no secret is shown', async () => {
  await me();
  fakeApi({ ...SIGN_IN, 'GET tokens': page(), 'POST tokens': refusal(400, 'invalid', 'You have 50 tokens already: revoke one first.') });
  const { user } = show(<TokensPage />);

  await user.type(await screen.findByLabelText('Name'), 'laptop');
  await user.click(screen.getByRole('button', { name: 'Review and sign' }));
  await user.click(within(await screen.findByRole('dialog')).getByRole('button', { name: 'Make this token' }));

  expect(await screen.findByText('You have 50 tokens already: revoke one first.')).toBeVisible();
});

test('a token ends at the earliest of what is asked, what the server allows and what the session has left', () => {
  const now = 1_700_000_000_000;
  const far = String((BigInt(now) + 1_000_000_000n) * 1_000_000n);

  expect(expiryOf(1, far, null, now).getTime()).toBe(now + 3_600_000);
  expect(expiryOf(1000, far, null, now).getTime()).toBe(now + 1_000_000_000);
  expect(expiryOf(1000, far, now + 5, now).getTime()).toBe(now + 5);
});
