import { screen, within } from '@testing-library/react';
import { Principal } from '@icp-sdk/core/principal';
import { afterEach, expect, test, vi } from 'vitest';
import { createDeviceIdentity } from '@/lib/identity/keys';
import { adoptIdentity, signOut } from '@/lib/identity/session';
import { encodeValues } from '@/lib/tensors';
import { toHex } from '@/lib/bytes';
import { ANNA, model, proposal } from '@/testing/builders';
import { fakeApi, NETWORK, page, show } from '@/testing/page';
import { ModelPage, ProposePage } from '.';
import { Answer, largestDifference } from './Answer';
import { Pixels } from './Pixels';
import { snippet } from './Snippet';
import { answerOf } from './ask';

afterEach(signOut);

const hash = 'ab'.repeat(32);
const live = { proposal_id: 1, title: 'First release', manifest_hash: hash, wasm_sha256: hash, max_abs_error_e9: 60, live_at_ns: '1700000000000000000', proof: { canister: 'x', block: 8 } };
const tensor = (name: string, values: number[]) => ({ name, dtype: 'float32', shape: [1, values.length], data: toHex(encodeValues('float32', values)) });
const release = {
  manifest_hash: hash,
  manifest: {
    job_id: 4, title: 'Reeds or shrubs', wasm_sha256: hash, wasm_chunks: [{ sha256: hash, size_bytes: 1024 }], weight_chunks: [], onnx_sha256: hash, transcript_hash: hash, card_hash: hash,
    metrics: [{ name: 'accuracy', value_ppm: 957_983 }], tolerance_e9: 100000, estimated_instructions: 17383,
    equality: [{ inputs: [tensor('features', [3.5, 1.25])], outputs: [tensor('probabilities', [0.75, 0.25])] }],
  },
  interface: { inputs: [], outputs: [] }, cost: {}, equality: {},
};
const canister = 'br5f7-7uaaa-aaaaa-qaaca-cai';
const at = (path: string) => ({ at: path, path: '/models/:canister/*' });

test('a model without a release says what is needed, and offers nothing to pay for', async () => {
  fakeApi({ [`models/${canister}`]: model(), [`models/${canister}/proposals`]: page() });
  show(<ModelPage />, at(`/models/${canister}`));

  expect(await screen.findByText('It does not answer yet')).toBeVisible();
  expect(screen.getByRole('img', { name: /^Shares: .* 70 %, .* 30 %$/ })).toBeVisible();
  expect(screen.queryByRole('button', { name: 'Ask this model' })).toBeNull();
  expect(await screen.findByText('Nothing has been proposed yet')).toBeVisible();
});

test('a live model can be asked: inputs of the release, named by the card, and a sheet that says the price with fees', async () => {
  fakeApi({
    [`models/${canister}`]: model({ state: 'live', live: live as never, card: { features: ['height', 'width'], classes: ['reed', 'shrub'], limits: ['Not for trees.'] } }),
    [`models/${canister}/proposals`]: page(proposal({ state: 'live' })),
    'jobs/4/release': release,
  });
  const { user } = show(<ModelPage />, at(`/models/${canister}`));

  expect(await screen.findByLabelText('height')).toHaveValue('3.5');
  expect(screen.getByLabelText('width')).toHaveValue('1.25');
  expect(screen.getByText('Not for trees.')).toBeVisible();
  await user.clear(screen.getByLabelText('height'));
  await user.type(screen.getByLabelText('height'), '2');
  expect(screen.getByRole('combobox', { name: 'Example' })).toHaveValue('');
  await user.click(screen.getByRole('button', { name: 'Ask this model' }));

  const sheet = await screen.findByRole('dialog');
  expect(within(sheet).getByText(/0\.1002/)).toBeVisible();
  expect(within(sheet).getByText('2 messages')).toBeVisible();
});

const inferred = (values: number[]) =>
  answerOf(
    {
      outputs: [{ name: 'probabilities', dtype: 'float32', shape: [1n, 2n], data: encodeValues('float32', values) }],
      instructions: 17_383n, price_e8s: 10_000_000n, parts: [{ owner: Principal.fromText(ANNA), amount_e8s: 7_000_000n }], manifest_hash: new Uint8Array(32).fill(0xab), block: 9n, ledger_block: 4n,
    },
    new Uint8Array(),
  );

test('an answer names the best class, how far it is from ONNX Runtime, and who was paid', () => {
  fakeApi({});
  show(<Answer answer={inferred([0.75, 0.25])} classes={['reed', 'shrub']} expected={[{ name: 'probabilities', dtype: 'float32', shape: [1, 2], values: [0.75, 0.2500001] }]} model={{ canister, live: live as never }} />);

  expect(screen.getByText('reed')).toHaveAttribute('data-best', 'true');
  expect(screen.getByText('75.00 %')).toBeVisible();
  expect(screen.getByText(/largest difference 1\.0e-7/)).toBeVisible();
  expect(screen.getByText(/\(the live one\)/)).toBeVisible();
});

test('outputs that cannot be compared are not called equal', () => {
  const { outputs } = inferred([0.75, 0.25]);

  expect(largestDifference(outputs, [{ name: 'other', dtype: 'float32', shape: [1], values: [1] }])).toBeNull();
  expect(largestDifference(outputs, [{ name: 'probabilities', dtype: 'float32', shape: [1, 3], values: [1, 0, 0] }])).toBeNull();
  expect(largestDifference([{ name: 'a', dtype: 'float32', shape: [1], values: [Number.NaN] }], [{ name: 'a', dtype: 'float32', shape: [1], values: [1] }])).toBeNull();
});

test('only an owner can propose; an owner sees what the release is before signing', async () => {
  fakeApi({ [`models/${canister}`]: model() });
  show(<ProposePage />, at(`/models/${canister}/propose`));
  expect(await screen.findByText('Only owners can propose')).toBeVisible();
});

test('an owner proposes a release, and the sheet says what adoption does', async () => {
  const identity = await createDeviceIdentity();
  await adoptIdentity(identity);
  fakeApi({ [`models/${canister}`]: model({ holders: [{ owner: identity.principal, shares: 10_000 }] }), 'jobs/4/release': release });
  const { user } = show(<ProposePage />, at(`/models/${canister}/propose`));

  expect(await screen.findByText('17,383 instructions')).toBeVisible();
  await user.click(screen.getByRole('button', { name: 'Review and sign' }));

  const sheet = await screen.findByRole('dialog');
  expect(within(sheet).getByText(/installed by the vote itself, tested on the chain/)).toBeVisible();
  expect(within(sheet).getByText(/vote on it for 1 h/)).toBeVisible();
});

test('an image is a grid that can be drawn on by keyboard, and cleared', async () => {
  fakeApi({});
  const onChange = vi.fn();
  const { user } = show(<Pixels tensor={{ name: 'image', dtype: 'float32', shape: [1, 1, 2, 2], values: [0, 16, 0, 0] }} onChange={onChange} />);

  expect(screen.getByRole('group', { name: 'Image, 2 by 2' })).toBeVisible();
  screen.getByRole('button', { name: 'Row 2, column 1: 0 %' }).focus();
  await user.keyboard('{Enter}');
  expect(onChange).toHaveBeenLastCalledWith([0, 16, 4, 0]);
  screen.getByRole('button', { name: 'Row 1, column 2: 100 %' }).focus();
  await user.keyboard(' ');
  expect(onChange).toHaveBeenLastCalledWith([0, 0, 0, 0]);
  await user.click(screen.getByRole('button', { name: 'Clear' }));
  expect(onChange).toHaveBeenLastCalledWith([0, 0, 0, 0]);
});

test('the snippet pays what the model asks, on the network that the page is on', () => {
  const text = snippet(model(), NETWORK, 'http://localhost:8080');

  for (const part of [`Principal.from_text("${canister}")`, 'PRICE_E8S, FEE_E8S = 10000000, 10000', NETWORK.root_key, 'Market("http://localhost:8080")', 'market.job_release(4)']) expect(text).toContain(part);
});
