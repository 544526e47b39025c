// A registration that is under way, kept in the browser until all of it is done, so that a closed window or a lost line costs nothing.
import { forget, keep, allKept } from '@/lib/idb';
import type { PolicyDraft } from '@/lib/policy';
import type { SealedManifest } from '@/lib/sealing/sealing';

export interface RegistrationDraft {
  owner: string;
  title: string;
  file: { name: string; size: number };
  rows: number;
  /** Canonical JSON texts of what becomes public. */
  blobs: { schema: string; card: string; profile: string; mock: string };
  manifest: SealedManifest;
  manifest_hash: string;
  plaintext_commitment: string;
  sealed_bytes: number;
  /** Hex. The same key registers once, however often it is sent. */
  register_key: string;
  policy: PolicyDraft;
  started_at_ms: number;
  dataset_id: number | null;
  policy_set: boolean;
}

export const keepDraft = (draft: RegistrationDraft): Promise<void> => keep('drafts', draft.manifest_hash, draft);
export const forgetDraft = (draft: RegistrationDraft): Promise<void> => forget('drafts', draft.manifest_hash);
export const draftsOf = async (owner: string): Promise<RegistrationDraft[]> => (await allKept<RegistrationDraft>('drafts')).filter((draft) => draft.owner === owner);
