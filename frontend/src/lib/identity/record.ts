// What this browser keeps of an identity. The private key in it cannot be exported: scripts can use it while the page is open, none can copy it.
import { allKept, forget, keep, kept } from '@/lib/idb';

export type IdentityKind = 'device' | 'phrase' | 'passkey';

/** A delegation chain in the JSON form of @icp-sdk/core: hex everywhere, `expiration` in ns. */
export interface DelegationChainJson {
  publicKey: string;
  delegations: { signature: string; delegation: { pubkey: string; expiration: string; targets?: string[]; permissions?: string } }[];
}

export interface IdentityRecord {
  principal: string;
  kind: IdentityKind;
  created_at_ms: number;
  /** Signs requests: the root itself for `device`, a session key that the root has delegated to otherwise. P-256. */
  keyPair: CryptoKeyPair;
  chain: DelegationChainJson | null;
  /** When the delegation ends; null for `device`. */
  expires_at_ms: number | null;
  /** For `passkey`: what the browser needs to ask for it again. A passkey's public key cannot be had from it later. */
  passkey: { raw_id: string; cose: string } | null;
}

const CURRENT = 'commonweight-current-identity';

export const keepIdentity = (record: IdentityRecord): Promise<void> => keep('identities', record.principal, record);
export const keptIdentity = (principal: string): Promise<IdentityRecord | null> => kept<IdentityRecord>('identities', principal);
export const keptIdentities = (): Promise<IdentityRecord[]> => allKept<IdentityRecord>('identities');
export const forgetIdentity = (principal: string): Promise<void> => forget('identities', principal);

export const isExpired = (record: IdentityRecord, nowMs = Date.now()): boolean => record.expires_at_ms !== null && record.expires_at_ms <= nowMs;

/** Which identity was used last: its public principal, nothing secret. */
export const currentPrincipal = {
  get: (): string | null => {
    try {
      return localStorage.getItem(CURRENT);
    } catch {
      return null; // storage is forbidden: nobody was here before
    }
  },
  set: (principal: string | null): void => {
    if (principal) localStorage.setItem(CURRENT, principal);
    else localStorage.removeItem(CURRENT);
  },
};
