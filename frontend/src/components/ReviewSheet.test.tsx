import { screen, waitFor, within } from '@testing-library/react';
import { expect, test, vi } from 'vitest';
import { fakeApi, show } from '@/testing/page';
import { useReview, type Deed, type StepReport } from './ReviewSheet';

function Opener({ deed, onAnswer }: { deed: Deed; onAnswer: (done: boolean) => void }) {
  const review = useReview();
  return <button onClick={() => void review(deed).then(onAnswer)}>open</button>;
}

const deed = (change: Partial<Deed>): Deed => ({
  title: 'Approve "Reeds or shrubs"',
  button: 'Approve this request',
  changes: ['The job may use your data, once.'],
  seenBy: 'Everybody.',
  cost: 'Nothing.',
  undo: 'Until a worker claims it.',
  steps: [],
  ...change,
});

async function openSheet(change: Partial<Deed>) {
  fakeApi({});
  const onAnswer = vi.fn();
  const { user } = show(<Opener deed={deed(change)} onAnswer={onAnswer} />);
  await user.click(screen.getByRole('button', { name: 'open' }));
  return { user, onAnswer, sheet: await screen.findByRole('dialog') };
}

test('nothing is signed before the sheet has said what changes, who sees it, what it costs and whether it can be taken back', async () => {
  const run = vi.fn();
  const { sheet } = await openSheet({ steps: [{ name: 'Approve on the chain', signed: true, run }] });

  for (const said of ['The job may use your data, once.', 'Everybody.', 'Nothing.', 'Until a worker claims it.', 'one message']) expect(within(sheet).getByText(said)).toBeVisible();
  expect(run).not.toHaveBeenCalled();
});

test('turning away signs nothing', async () => {
  const run = vi.fn();
  const { user, onAnswer, sheet } = await openSheet({ steps: [{ name: 'Approve on the chain', signed: true, run }] });

  await user.click(within(sheet).getByRole('button', { name: 'Not now' }));

  expect(onAnswer).toHaveBeenCalledWith(false);
  expect(run).not.toHaveBeenCalled();
});

test('a call shows that it was signed, accepted and certified', async () => {
  let report: StepReport | undefined;
  let finish: () => void = () => undefined;
  const run = (given: StepReport) => {
    report = given;
    return new Promise<void>((resolve) => (finish = resolve));
  };
  const { user, onAnswer, sheet } = await openSheet({ steps: [{ name: 'Approve on the chain', signed: true, run }] });

  await user.click(within(sheet).getByRole('button', { name: 'Approve this request' }));
  expect(await within(sheet).findByText('○ signed')).toBeVisible();
  report?.stage('signed');
  expect(await within(sheet).findByText('● signed')).toBeVisible();
  expect(within(sheet).getByText('○ accepted')).toBeVisible();
  report?.stage('accepted');
  report?.stage('certified');
  expect(await within(sheet).findByText('● certified')).toBeVisible();
  finish();

  await waitFor(() => expect(onAnswer).toHaveBeenCalledWith(true));
});

test('after two seconds the page says what it waits for', async () => {
  const run = ({ stage }: StepReport) => {
    stage('signed');
    return new Promise(() => undefined);
  };
  const { user, sheet } = await openSheet({ steps: [{ name: 'Approve on the chain', signed: true, run }] });

  await user.click(within(sheet).getByRole('button', { name: 'Approve this request' }));

  expect(within(sheet).queryByText(/Waiting for the network/)).toBeNull();
  expect(await within(sheet).findByText(/Waiting for the network to accept it/, undefined, { timeout: 5_000 })).toBeVisible();
});

test('when a later step fails, what was done stays done, and only the rest is tried again', async () => {
  const first = vi.fn(() => Promise.resolve('signed once'));
  const second = vi.fn().mockRejectedValueOnce(new Error('The marketplace does not answer.')).mockResolvedValue(undefined);
  const { user, onAnswer, sheet } = await openSheet({ steps: [{ name: 'Sign', signed: true, run: first }, { name: 'Upload', run: second }] });

  await user.click(within(sheet).getByRole('button', { name: 'Approve this request' }));
  expect(await within(sheet).findByRole('alert')).toHaveTextContent('Step 2 did not succeed; the steps before it are done and stay so');
  expect(within(sheet).getByRole('alert')).toHaveTextContent('The marketplace does not answer.');
  await user.click(within(sheet).getByRole('button', { name: 'Try again' }));

  await waitFor(() => expect(onAnswer).toHaveBeenCalledWith(true));
  expect(first).toHaveBeenCalledTimes(1);
  expect(second).toHaveBeenCalledTimes(2);
  expect(second.mock.calls[1]?.[1]).toEqual(['signed once', undefined]);
});

test('long work shows how far it is, and can be stopped', async () => {
  const run = ({ progress, signal }: StepReport) => {
    progress(0.25, '1 of 4 MiB');
    return new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('aborted'))));
  };
  const { user, sheet } = await openSheet({ steps: [{ name: 'Upload', run }] });

  await user.click(within(sheet).getByRole('button', { name: 'Approve this request' }));
  expect(await within(sheet).findByText('1 of 4 MiB')).toBeVisible();
  await user.click(within(sheet).getByRole('button', { name: 'Stop' }));

  expect(await within(sheet).findByRole('alert')).toHaveTextContent(/you can go on where you left/);
});
