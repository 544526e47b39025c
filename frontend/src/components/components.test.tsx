import { screen, within } from '@testing-library/react';
import { expect, test, vi } from 'vitest';
import { ApiError } from '@/lib/api/client';
import { nanos, nowNs } from '@/lib/units';
import { ANNA, BEN, settledJob } from '@/testing/builders';
import { fakeApi, show } from '@/testing/page';
import { AttributionBars } from './charts/AttributionBars';
import { LossCurve } from './charts/LossCurve';
import { OwnershipBar } from './charts/OwnershipBar';
import { Amount, Hash, State, TimeLeft, When } from './facts';
import { Shown } from './states';
import { DatasetName, Person } from './Thread';

test('an amount has its unit', async () => {
  fakeApi({});
  show(<Amount e8s={'150000000' as never} />);

  expect(await screen.findByText('CWT')).toBeVisible();
  expect(screen.getByText(/1\.5/)).toBeVisible();
});

test('a person is a thread: the same name wherever, and a link to what they did', () => {
  fakeApi({});
  show(
    <>
      <Person principal={ANNA} />
      <Person principal={BEN} />
      <DatasetName id={7} title="Reeds by the lake" />
    </>,
  );

  const [anna, ben] = screen.getAllByRole('link');
  expect(anna).toHaveAttribute('href', `/accounts/${ANNA}`);
  expect(anna?.textContent).not.toBe(ben?.textContent);
  expect(screen.getByRole('link', { name: 'Reeds by the lake' })).toHaveAttribute('href', '/datasets/7');
});

test('a time is relative, and absolute for who asks', () => {
  fakeApi({});
  show(<When ns={nanos(nowNs() - 120_000_000_000n)} />);

  expect(screen.getByText('2 minutes ago')).toHaveAttribute('aria-label', expect.stringMatching(/2 minutes ago, \d+ \w+ \d{4}/));
});

test('a deadline says what is left, or that it is over', () => {
  fakeApi({});
  show(
    <>
      <TimeLeft until={nanos(nowNs() + 7_260_000_000_000n)} />
      <TimeLeft until={nanos(1n)} over="too late" />
    </>,
  );

  expect(screen.getByText(/2 h (1 min|59 s)? ?left|2 h 0 min left|2 h 1 min left/)).toBeVisible();
  expect(screen.getByText('too late')).toBeVisible();
});

test('a hash is shortened, and copied whole', async () => {
  fakeApi({});
  const { user } = show(<Hash value={'ab'.repeat(32)} label="code hash" />);
  const write = vi.spyOn(navigator.clipboard, 'writeText');

  expect(screen.getByText('abababab…ababab')).toBeVisible();
  await user.click(screen.getByRole('button', { name: /^Copy code hash/ }));

  expect(write).toHaveBeenCalledWith('ab'.repeat(32));
});

test.each([
  ['settled', 'Settled', 'done'],
  ['proposed', 'Waits for approvals', 'waits'],
  ['denied', 'Denied', 'loss'],
  ['AutoApprove', 'Approves by itself', 'done'],
])('the state %s is said as "%s"', (of, said, tone) => {
  fakeApi({});
  show(<State of={of} />);

  expect(screen.getByText(said)).toHaveAttribute('data-tone', tone);
});

test('a query is loading, failed with the words of the server, or shown; what was shown stays when a refresh fails', async () => {
  fakeApi({});
  const refetch = vi.fn();
  const base = { isPending: false, refetch };
  const { user } = show(
    <>
      <Shown query={{ ...base, data: undefined, error: null, isPending: true } as never} what="jobs">
        {() => 'never'}
      </Shown>
      <Shown query={{ ...base, data: undefined, error: new ApiError(503, 'chain_unavailable', 'The chain does not answer. Nothing is lost.') } as never} what="dataset">
        {() => 'never'}
      </Shown>
      <Shown query={{ ...base, data: 'kept', error: new Error('later') } as never} what="model">
        {(data: string) => data}
      </Shown>
    </>,
  );

  expect(screen.getByRole('status', { name: 'Loading jobs' })).toBeVisible();
  expect(screen.getByRole('alert')).toHaveTextContent('The chain does not answer. Nothing is lost.');
  expect(screen.getByText('kept')).toBeVisible();
  await user.click(screen.getByRole('button', { name: 'Try again' }));
  expect(refetch).toHaveBeenCalled();
});

test('attribution has a bar with its interval for each dataset, also below zero, and its numbers as a table', async () => {
  fakeApi({});
  const { user } = show(<AttributionBars rows={settledJob().result?.attribution ?? []} utility="accuracy" />);

  expect(screen.getByRole('img', { name: 'Reeds by the lake: 0.1401, between 0.1300 and 0.1540' })).toBeVisible();
  expect(screen.getByRole('img', { name: 'Shrubs on the hill: −0.0030, between −0.0098 and 0.0042' })).toBeVisible();
  await user.click(screen.getByRole('button', { name: 'Show the numbers as a table' }));
  const table = screen.getByRole('table', { name: 'Attribution in accuracy' });
  expect(within(table).getAllByRole('row')).toHaveLength(3);
  expect(within(table).getByText('67.31 %')).toBeVisible();
});

test('ownership is one bar, largest part first', () => {
  fakeApi({});
  show(<OwnershipBar label="Shares" parts={[{ owner: BEN, bps: 3000 }, { owner: ANNA, bps: 7000 }]} />);

  expect(screen.getByRole('img', { name: /^Shares: .* 70 %, .* 30 %$/ })).toBeVisible();
  expect(screen.getAllByRole('listitem').map((item) => item.textContent)).toEqual([expect.stringContaining('70 %'), expect.stringContaining('30 %')]);
});

test('a loss curve names what it shows', () => {
  fakeApi({});
  show(<LossCurve epochs={[{ epoch: 1, train_loss: 0.7, validation_loss: 0.6 }, { epoch: 2, train_loss: 0.3, validation_loss: 0.25, accuracy: 0.9 }]} />);

  expect(screen.getByRole('img', { name: 'Loss over 2 epochs' })).toBeVisible();
  expect(screen.getByText('training loss 0.3')).toBeVisible();
  expect(screen.getByText('accuracy 0.9')).toBeVisible();
});
