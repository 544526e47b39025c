import { screen, within } from '@testing-library/react';
import { afterEach, expect, test } from 'vitest';
import { createDeviceIdentity } from '@/lib/identity/keys';
import { adoptIdentity, signOut } from '@/lib/identity/session';
import { dataset, job, policy, WORKER } from '@/testing/builders';
import { fakeApi, page, refusal, show } from '@/testing/page';
import { DatasetPage, PolicyPage } from '.';

afterEach(signOut);

const workers = [{ principal: WORKER, name: 'embedded worker', encryption_key: '04', registered_at_ns: '1', proof: { canister: 'x', block: 0 } }];
const at = (path: string) => ({ at: path, path: '/datasets/:id/*' });

async function owner() {
  const identity = await createDeviceIdentity();
  await adoptIdentity(identity);
  return identity.principal;
}

test('a dataset says first what may be done with it; then what is in it', async () => {
  fakeApi({ 'datasets/7': dataset(), jobs: page(job()) });
  const { user } = show(<DatasetPage />, at('/datasets/7'));

  expect(await screen.findByRole('heading', { level: 1, name: 'Reeds by the lake' })).toBeVisible();
  expect(screen.getAllByText(/Anyone may ask; the owner decides\./)[0]).toBeVisible();
  const columns = screen.getByRole('table', { name: 'Columns' });
  expect(within(columns).getByRole('img', { name: 'height: from 1 to 4' })).toBeVisible();
  expect(within(columns).getByText('1 to 4')).toBeVisible();
  await user.click(screen.getByRole('tab', { name: 'Made-up sample' }));
  expect(within(screen.getByRole('table', { name: 'Made-up sample' })).getByText('2.2')).toBeVisible();
  expect(await screen.findByRole('link', { name: 'Reeds or shrubs' })).toHaveAttribute('href', '/jobs/4');
  expect(screen.queryByRole('link', { name: 'Change the policy' })).toBeNull();
});

test('without a policy the page says that nothing is allowed', async () => {
  fakeApi({ 'datasets/7': dataset({ policy: null, policies: [] }), jobs: page() });
  show(<DatasetPage />, at('/datasets/7'));

  expect(await screen.findByText(/Its owner has set no policy, so nothing is allowed\./)).toBeVisible();
  expect(screen.queryByRole('link', { name: 'Propose a job with it' })).toBeNull();
});

test('a dataset that is not there, and one that cannot be loaded, say so', async () => {
  fakeApi({ 'datasets/7': refusal(404, 'not_found', 'There is no dataset 7.') });
  show(<DatasetPage />, at('/datasets/7'));

  expect(await screen.findByRole('alert')).toHaveTextContent('There is no such dataset');
  expect(screen.getByRole('alert')).toHaveTextContent('There is no dataset 7.');
});

test('an upload that is not complete is said, with who has to act', async () => {
  const whole = dataset();
  fakeApi({ 'datasets/7': dataset({ versions: whole.versions.map((version) => ({ ...version, complete: false, stored_bytes: 1024 })) }), jobs: page() });
  show(<DatasetPage />, at('/datasets/7'));

  expect(await screen.findByText(/1\.0 KiB uploaded so far/)).toBeVisible();
});

test('a stranger is told who can change the policy', async () => {
  fakeApi({ 'datasets/7': dataset(), workers });
  show(<PolicyPage />, at('/datasets/7/policy'));

  expect(await screen.findByText('Only its owner can set the policy of this dataset')).toBeVisible();
  expect(screen.queryByRole('button', { name: 'Review and sign' })).toBeNull();
});

test('the owner writes a policy and reads it in plain words; what is wrong is said before anything is signed', async () => {
  const mine = await owner();
  fakeApi({ 'datasets/7': dataset({ owner: mine, policy: policy({ decision: 'Ask' }) }), workers });
  const { user } = show(<PolicyPage />, at('/datasets/7/policy'));

  expect(await screen.findByText('A request that fits waits for your word. Without it, nothing happens.')).toBeVisible();
  await user.clear(screen.getByLabelText('Price of one job'));
  await user.type(screen.getByLabelText('Price of one job'), '3.5');
  expect(await screen.findByText('Each job pays you 3.5 CWT.')).toBeVisible();
  await user.clear(screen.getByLabelText('Price of one job'));
  await user.click(screen.getByRole('button', { name: 'Review and sign' }));
  expect(screen.getByText('1 field to mend')).toBeVisible();
  expect(screen.queryByRole('dialog')).toBeNull();
  await user.type(screen.getByLabelText('Price of one job'), '3.5');
  await user.click(screen.getByRole('button', { name: 'Review and sign' }));

  const sheet = await screen.findByRole('dialog');
  expect(within(sheet).getByText('Each job pays you 3.5 CWT.')).toBeVisible();
  expect(within(sheet).getByRole('button', { name: 'Set this policy' })).toBeVisible();
});

test('"always like this" starts from the request: its builder, purpose and code, approved by itself', async () => {
  const mine = await owner();
  fakeApi({ 'datasets/7': dataset({ owner: mine }), 'jobs/4': job(), workers });
  show(<PolicyPage />, at('/datasets/7/policy?like=4'));

  expect(await screen.findByText('Always like this')).toBeVisible();
  expect(screen.getByText('A request that fits is approved at once, without asking you.')).toBeVisible();
  expect(screen.getByText(/for "research" only/)).toBeVisible();
  // It would let a worker in by itself, so the key is asked for where this browser does not hold it.
  expect(await screen.findByText('This browser does not hold the key of this dataset')).toBeVisible();
});
