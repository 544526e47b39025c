// Giving a worker the key of a dataset: unwrapped in the owner's browser, wrapped for that worker alone, kept by the marketplace.
import type { QueryClient } from '@tanstack/react-query';
import { ApiError } from './api/client';
import { datasetQuery, keepWrappedKey } from './api/datasets';
import { workersQuery } from './api/jobs';
import type { DatasetVersion } from './api/types';
import { loadChain } from './chain/load';
import { contentKey } from './content-keys';
import { wrapKey } from './sealing/sealing';

/** This browser does not hold the key of a file. */
export class KeyMissing extends Error {
  override readonly name = 'KeyMissing';
  constructor(readonly versions: readonly Pick<DatasetVersion, 'version' | 'manifest_hash'>[]) {
    super('This browser does not hold the key that opens this dataset. Load the key file that you saved when you registered it.');
  }
}

type Sealed = Pick<DatasetVersion, 'version' | 'manifest_hash' | 'ciphertext_root'>;

/** Which of these versions this browser cannot open. */
export async function missingKeys(owner: string, versions: readonly Sealed[]): Promise<Sealed[]> {
  const held = await Promise.all(versions.map((version) => contentKey(owner, version.manifest_hash)));
  return versions.filter((_, i) => held[i] === null);
}

export interface Grant {
  owner: string;
  dataset: number;
  versions: readonly Sealed[];
  /** Principals. */
  workers: readonly string[];
}

/** Safe to repeat. Throws KeyMissing before anything is given. */
export async function giveKeys(queries: QueryClient, grant: Grant, onProgress: (share: number, words: string) => void = () => undefined): Promise<void> {
  const missing = await missingKeys(grant.owner, grant.versions);
  if (missing.length) throw new KeyMissing(missing);
  const [{ Principal }, known] = await Promise.all([loadChain(), queries.fetchQuery({ ...workersQuery, staleTime: 0 })]);
  const total = grant.versions.length * grant.workers.length;
  let done = 0;
  for (const worker of grant.workers) {
    const entry = known.find((candidate) => candidate.principal === worker);
    if (!entry) throw new ApiError(404, 'not_found', `The worker ${worker} is not registered, so it has no key to wrap for. Choose another.`);
    for (const version of grant.versions) {
      const key = await contentKey(grant.owner, version.manifest_hash);
      if (!key) throw new KeyMissing([version]);
      const wrapped = await wrapKey(key, entry.encryption_key, version.ciphertext_root, Principal.fromText(worker).toUint8Array());
      await untilIndexed(() => keepWrappedKey(grant.dataset, version.version, worker, wrapped));
      done += 1;
      onProgress(done / total, `${done} of ${total} keys`);
    }
  }
}

/** All versions of a dataset, fresh. */
export const versionsOf = async (queries: QueryClient, dataset: number): Promise<DatasetVersion[]> =>
  (await queries.fetchQuery({ ...datasetQuery(dataset), staleTime: 0 })).versions;

/** The marketplace may not have read the newest block yet: then it does not know the dataset, or its version, for a moment. */
export async function untilIndexed<T>(act: () => Promise<T>, tries = 20, waitMs = 500): Promise<T> {
  for (let left = tries; ; left -= 1) {
    try {
      return await act();
    } catch (error) {
      if (left <= 0 || !(error instanceof ApiError) || error.status !== 404) throw error;
      await new Promise((resolve) => setTimeout(resolve, waitMs));
    }
  }
}
