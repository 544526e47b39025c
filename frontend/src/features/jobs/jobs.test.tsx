import { act, screen, within } from '@testing-library/react';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Job, TrainingEvent } from '@/lib/api/types';
import { createDeviceIdentity } from '@/lib/identity/keys';
import { adoptIdentity, signOut } from '@/lib/identity/session';
import { approval, BEN, dataset, job, policy, settledJob } from '@/testing/builders';
import { fakeApi, page, show } from '@/testing/page';
import { ComposePage, JobPage } from '.';

/** The server's line, as far as the page uses it. */
class FakeLine extends EventTarget {
  static readonly CLOSED = 2;
  readyState = 1;
  static last: FakeLine | null = null;
  onopen: (() => void) | null = null;
  onerror: (() => void) | null = null;
  closed = false;
  constructor(readonly url: string) {
    super();
    FakeLine.last = this;
  }
  close() {
    this.closed = true;
  }
  say(event: Partial<TrainingEvent> & { seq: number }) {
    this.dispatchEvent(new MessageEvent('progress', { data: JSON.stringify({ at_ns: '1700000000000000000', ...event }) }));
  }
}

beforeEach(() => vi.stubGlobal('EventSource', FakeLine));
afterEach(() => {
  signOut();
  FakeLine.last = null;
});

function showJob(one: Job, events: TrainingEvent[] = []) {
  fakeApi({ 'jobs/4': one, 'jobs/4/progress': { events }, 'jobs/4/release': {} });
  return show(<JobPage />, { at: '/jobs/4', path: '/jobs/:id' });
}

async function as(change: (principal: string) => Job) {
  const identity = await createDeviceIdentity();
  await adoptIdentity(identity);
  return change(identity.principal);
}

test('a proposed job says who it waits for and until when', async () => {
  showJob(job());

  expect(await screen.findByRole('heading', { level: 1, name: 'Reeds or shrubs' })).toBeVisible();
  expect(screen.getByText(/It waits for one owner/)).toBeVisible();
  expect(within(screen.getByRole('table', { name: 'Approvals' })).getByText('Pending')).toBeVisible();
  expect(screen.queryByRole('button', { name: /Fund|Cancel/ })).toBeNull();
});

test('a denied job says why, and that its builder has the money', async () => {
  showJob(job({ state: 'denied', reason: 'dataset 7: the policy denies every request', approvals: [approval({ state: 'denied', by: 'policy', reason: 'the policy denies every request' })] }));

  expect(await screen.findByText(/dataset 7: the policy denies every request\. What was in escrow/)).toBeVisible();
});

test('training is followed live: known events first, then those of the line, each once', async () => {
  const epoch = (seq: number, n: number, loss: number): TrainingEvent => ({ seq, at_ns: '1700000000000000000' as never, kind: 'epoch', epoch: n, epochs: 3, train_loss: loss, validation_loss: loss });
  showJob(job({ state: 'running' }), [epoch(1, 1, 0.9), epoch(2, 2, 0.5)]);

  expect(await screen.findByRole('img', { name: 'Loss over 2 epochs' })).toBeVisible();
  await vi.waitFor(() => expect(FakeLine.last?.url).toBe('/api/market/jobs/4/events?after=2'));
  act(() => {
    FakeLine.last?.onopen?.();
    FakeLine.last?.say({ ...epoch(2, 2, 0.5) });
    FakeLine.last?.say({ ...epoch(3, 3, 0.2) });
    FakeLine.last?.say({ seq: 4, kind: 'coalition', done: 2, total: 7 });
  });

  expect(await screen.findByRole('img', { name: 'Loss over 3 epochs' })).toBeVisible();
  expect(screen.getByText('Valuing the contributions: 2 of 7 trainings')).toBeVisible();
  expect(screen.getByText('live')).toBeVisible();
  act(() => FakeLine.last?.onerror?.());
  expect(screen.getByText('the line was lost; connecting again')).toBeVisible();
});

test('a worker that began anew shows its last beginning only', async () => {
  const epoch = (seq: number, n: number): TrainingEvent => ({ seq, at_ns: '1' as never, kind: 'epoch', epoch: n, epochs: 3, train_loss: 1 / n, validation_loss: 1 / n });
  showJob(settledJob(), [epoch(1, 1), epoch(2, 2), epoch(3, 1), epoch(4, 2), epoch(5, 3)]);

  expect(await screen.findByRole('img', { name: 'Loss over 3 epochs' })).toBeVisible();
});

test('a settled job shows what came out, whose data was worth what, and its files', async () => {
  showJob(settledJob());

  expect(await screen.findByText('0.9580')).toBeVisible();
  expect(screen.getByRole('img', { name: /^Reeds by the lake: 0\.1401/ })).toBeVisible();
  expect(screen.getByRole('link', { name: 'model.onnx' })).toHaveAttribute('href', `/api/market/blobs/${'ab'.repeat(32)}`);
  expect(screen.queryByRole('link', { name: 'release' })).toBeNull();
});

test('the builder can fund an approved job, after a sheet that says what it costs with fees', async () => {
  const mine = await as((builder) => job({ builder, state: 'approved' }));
  const { user } = showJob(mine);

  await user.click(await screen.findByRole('button', { name: 'Fund this job' }));

  const sheet = await screen.findByRole('dialog');
  expect(within(sheet).getByText(/10\.0002/)).toBeVisible();
  expect(within(sheet).getByText('2 messages')).toBeVisible();
});

test('a shareholder of a settled job without a model can found its cooperative', async () => {
  const mine = await as((owner) => settledJob({ shares: [{ owner, role: 'contributor', dataset_id: 7, share_bps: 10_000 }] }));
  const { user } = showJob(mine);

  await user.click(await screen.findByRole('button', { name: 'Found its cooperative' }));
  const price = screen.getByLabelText('Price of an answer');
  await user.clear(price);
  await user.type(price, 'free');
  expect(screen.getByText('An amount of tokens with at most 8 decimals.')).toBeVisible();
  expect(screen.getByRole('button', { name: 'Review and sign' })).toBeDisabled();
  await user.clear(price);
  await user.type(price, '0.25');
  await user.click(screen.getByRole('button', { name: 'Review and sign' }));

  const sheet = await screen.findByRole('dialog', { name: /Found the cooperative of/ });
  expect(within(sheet).getByText(/0\.25/)).toBeVisible();
});

test('an owner whose word is waited for is led to their requests', async () => {
  const mine = await as((owner) => job({ approvals: [approval({ owner })] }));
  showJob(mine);

  expect(await screen.findByRole('link', { name: 'Answer the request' })).toHaveAttribute('href', '/requests');
});

test('composing a job sums up the prices and says what is missing', async () => {
  const recipe = {
    name: 'tabular_mlp', title: 'Classifier for tables', description: 'A small network.', code_hash: 'ab'.repeat(32), task: 'classification', default_config: { epochs: 60, target: 'target', valuation: { seeds: 3 } },
    config_schema: {
      properties: {
        target: { type: 'string', title: 'Target column' },
        epochs: { type: 'integer', title: 'Epochs', minimum: 1 },
        valuation: { type: 'object', title: 'Valuation', properties: { seeds: { type: 'integer', title: 'Repetitions' } } },
      },
    },
  };
  fakeApi({ recipes: [recipe], datasets: page(dataset(), dataset({ id: 8, title: 'Shrubs', owner: BEN, policy: policy({ price_e8s: '50000000' as never, sentence: 'It asks.' }) })) });
  const { user } = show(<ComposePage />, { at: '/jobs/new?datasets=7,8', path: '/jobs/new' });

  expect(await screen.findByText(/It asks\./)).toBeVisible();
  expect((await screen.findAllByText('CWT')).length).toBeGreaterThan(0);
  expect(screen.getByText(/Budget:/)).toHaveTextContent('Budget: 7.5 CWT, of which 2.5 CWT for the data.');
  expect(screen.getByText('Still missing: a title.')).toBeVisible();
  expect(screen.getByRole('button', { name: 'Review and sign' })).toBeDisabled();
  expect(screen.getByRole('group', { name: 'Valuation' })).toContainElement(screen.getByLabelText('Repetitions'));
  await user.type(screen.getByLabelText(/^Title/), 'Reeds');
  await user.click(screen.getByRole('button', { name: 'Review and sign' }));

  expect(within(await screen.findByRole('dialog')).getByText(/2 owners may have to answer first/)).toBeVisible();
});
