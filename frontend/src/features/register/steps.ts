// The steps of a registration. Each can be repeated: what is done is found done.
import type { QueryClient } from '@tanstack/react-query';
import type { DeedStep, StepReport } from '@/components/ReviewSheet';
import { announceUpload, keepBlob, sendChunk } from '@/lib/api/datasets';
import type { DatasetCard, Mock, Profile } from '@/lib/api/types';
import { canonicalJson, fromHex, randomBytes, sha256, toHex, utf8, type Bytes, type Json } from '@/lib/bytes';
import { indexed, signAndCall } from '@/lib/chain/load';
import { contentKey, keepContentKey } from '@/lib/content-keys';
import { ChainRefused } from '@/lib/contracts/errors';
import type { RegistryBlock, VersionArg } from '@/lib/contracts/registry';
import { formatBytes } from '@/lib/format';
import { giveKeys, versionsOf } from '@/lib/grant';
import { requireIdentity } from '@/lib/identity/session';
import { schemaOf } from '@/lib/profile/profile';
import { termsOf, type PolicyDraft } from '@/lib/policy';
import { chunkCount, SealBroken } from '@/lib/sealing/sealing';
import { openSealer, type Sealer } from '@/lib/sealing/sealer';
import { forgetDraft, keepDraft, type RegistrationDraft } from './draft';

const IN_FLIGHT = 3;

export interface Registration {
  file: File;
  card: DatasetCard;
  profile: Profile;
  mock: Mock;
  policy: PolicyDraft;
}

/** All steps, for a new registration or for one to be finished. `holder.draft` is set once the file is sealed. */
export function registrationSteps(queries: QueryClient, file: File, start: Registration | RegistrationDraft, holder: { draft: RegistrationDraft | null }): DeedStep[] {
  const draft = (): RegistrationDraft => {
    if (!holder.draft) throw new TypeError('sealed first');
    return holder.draft;
  };
  return [
    {
      name: 'Encrypt the file in this browser',
      run: async (report) => {
        holder.draft = 'manifest_hash' in start ? await checkedAgain(start, file, report) : await sealed(start, report);
      },
    },
    { name: 'Upload the description, statistics and sample', run: ({ signal }) => uploadBlobs(draft(), signal) },
    { name: 'Upload the encrypted file', run: (report) => uploadChunks(draft(), file, report) },
    { name: 'Register it on the chain, as yours', signed: true, run: ({ stage }) => register(queries, draft(), stage) },
    { name: 'Set its policy on the chain', signed: true, run: ({ stage }) => setPolicy(queries, draft(), stage) },
    { name: 'Wrap the key for the workers that the policy names', run: (report) => wrapAll(queries, draft(), report) },
  ];
}

async function withSealer<T>(signal: AbortSignal, act: (sealer: Sealer) => Promise<T>): Promise<T> {
  const sealer = openSealer();
  const stop = () => sealer.close();
  signal.addEventListener('abort', stop);
  try {
    return await act(sealer);
  } finally {
    signal.removeEventListener('abort', stop);
    sealer.close();
  }
}

async function sealed(start: Registration, { progress, signal }: StepReport): Promise<RegistrationDraft> {
  const { principal } = await requireIdentity();
  const [key, fileId] = [randomBytes(32), randomBytes(16)];
  const { file, card, profile } = start;
  const result = await withSealer(signal, (sealer) => sealer.seal(file, key, fileId, (bytes) => progress(bytes / file.size, `${formatBytes(bytes)} of ${formatBytes(file.size)}`)));
  const text = (value: unknown): string => canonicalJson(value as Json);
  const draft: RegistrationDraft = {
    owner: principal,
    title: card.title,
    file: { name: file.name, size: file.size },
    rows: profile.rows,
    blobs: { schema: text(schemaOf(profile)), card: text(card), profile: text(profile), mock: text(start.mock) },
    manifest: result.manifest,
    manifest_hash: result.manifest_hash,
    plaintext_commitment: result.plaintext_commitment,
    sealed_bytes: result.size_bytes,
    register_key: toHex(randomBytes(32)),
    policy: start.policy,
    started_at_ms: Date.now(),
    dataset_id: null,
    policy_set: false,
  };
  // Kept before anything leaves: whatever is uploaded or signed later can be opened and finished.
  await keepContentKey({ owner: principal, manifest_hash: draft.manifest_hash, ciphertext_root: draft.manifest.ciphertext_root, title: draft.title }, key);
  await keepDraft(draft);
  return draft;
}

/** The same file again, for a registration that was interrupted. */
async function checkedAgain(draft: RegistrationDraft, file: File, { progress, signal }: StepReport): Promise<RegistrationDraft> {
  const key = await keyOf(draft);
  const result = await withSealer(signal, (sealer) => sealer.seal(file, key, fromHex(draft.manifest.file_id), (bytes) => progress(bytes / file.size, `${formatBytes(bytes)} of ${formatBytes(file.size)}`)));
  if (result.manifest_hash !== draft.manifest_hash) throw new SealBroken(`This is not the file that was begun with (${draft.file.name}), or it was changed since. Choose that file, or begin anew.`);
  return draft;
}

async function keyOf(draft: RegistrationDraft): Promise<Bytes> {
  const key = await contentKey(draft.owner, draft.manifest_hash);
  if (!key) throw new SealBroken('The key of this file is no longer in this browser, so the upload cannot go on. Begin anew.');
  return key;
}

async function uploadBlobs(draft: RegistrationDraft, signal: AbortSignal): Promise<void> {
  for (const text of Object.values(draft.blobs)) await keepBlob(utf8(text), signal);
}

async function uploadChunks(draft: RegistrationDraft, file: File, { progress, signal }: StepReport): Promise<void> {
  const key = await keyOf(draft);
  const { missing } = await announceUpload(draft.manifest, signal);
  const total = draft.manifest.chunks.length;
  let done = total - missing.length;
  const show = () => progress(done / total, `${done} of ${total} chunks, ${formatBytes(draft.sealed_bytes)} in all`);
  show();
  const queue = [...missing];
  await withSealer(signal, async (sealer) => {
    const send = async () => {
      for (let index = queue.shift(); index !== undefined; index = queue.shift()) {
        signal.throwIfAborted();
        const chunk = await sealer.chunk(file, key, fromHex(draft.manifest.file_id), index);
        await sendChunk(draft.manifest_hash, index, chunk, signal);
        done += 1;
        show();
      }
    };
    await Promise.all(Array.from({ length: Math.min(IN_FLIGHT, chunkCount(file.size)) }, send));
  });
}

async function versionArgs(draft: RegistrationDraft): Promise<VersionArg> {
  const hash = (text: string): Promise<Bytes> => sha256(utf8(text));
  return {
    ciphertext_root: fromHex(draft.manifest.ciphertext_root),
    plaintext_commitment: fromHex(draft.plaintext_commitment),
    manifest_hash: fromHex(draft.manifest_hash),
    schema_hash: await hash(draft.blobs.schema),
    card_hash: await hash(draft.blobs.card),
    profile_hash: await hash(draft.blobs.profile),
    mock_hash: await hash(draft.blobs.mock),
    row_count: BigInt(draft.rows),
    size_bytes: BigInt(draft.sealed_bytes),
  };
}

async function register(queries: QueryClient, draft: RegistrationDraft, stage: StepReport['stage']): Promise<number> {
  const args = [{ key: fromHex(draft.register_key), title: draft.title, version: await versionArgs(draft) }];
  const { value } = await signAndCall<RegistryBlock>(queries, (chain) => ({ canister: 'registry', contract: chain.registry, method: 'dataset_register', args }), stage);
  draft.dataset_id = Number(value.dataset_id);
  await keepDraft(draft);
  return draft.dataset_id;
}

async function setPolicy(queries: QueryClient, draft: RegistrationDraft, stage: StepReport['stage']): Promise<void> {
  if (draft.policy_set) return;
  try {
    await signAndCall<RegistryBlock>(
      queries,
      (chain) => ({
        canister: 'registry',
        contract: chain.registry,
        method: 'policy_set',
        args: [{ dataset_id: BigInt(draft.dataset_id ?? 0), expected_version: 0n, terms: termsOf(draft.policy, (text) => chain.Principal.fromText(text)) }],
      }),
      stage,
    );
  } catch (error) {
    // It was set before the answer was lost.
    if (!(error instanceof ChainRefused) || error.tag !== 'Stale') throw error;
  }
  draft.policy_set = true;
  await keepDraft(draft);
}

async function wrapAll(queries: QueryClient, draft: RegistrationDraft, { progress }: StepReport): Promise<void> {
  await indexed(queries, 'registry');
  const dataset = draft.dataset_id ?? 0;
  if (draft.policy.decision === 'AutoApprove') {
    const versions = await versionsOf(queries, dataset);
    await giveKeys(queries, { owner: draft.owner, dataset, versions, workers: draft.policy.workers }, progress);
  }
  await forgetDraft(draft);
}
