// Who is using the page. A small store, so that the page can show a name without loading the agent; keys are loaded at the first need.
import { useSyncExternalStore } from 'react';
import { setSessionSource } from '@/lib/api/client';
import { askChallenge, signIn } from '@/lib/api/accounts';
import { currentPrincipal, isExpired, keepIdentity, keptIdentity, type IdentityRecord } from './record';

export interface Session {
  status: 'loading' | 'signed-out' | 'signed-in';
  identity: IdentityRecord | null;
}

/** The person closed the dialog instead of signing in. */
export class NotSignedIn extends Error {
  override readonly name = 'NotSignedIn';
  constructor() {
    super('You have not signed in. Nothing was signed or sent.');
  }
}

let session: Session = { status: 'loading', identity: null };
let apiSecret: Promise<string> | null = null;
let askPerson: (() => void) | null = null;
let waiting: { resolve: (identity: IdentityRecord) => void; reject: (error: Error) => void }[] = [];
const listeners = new Set<() => void>();

function change(next: Session): void {
  if (next.identity?.principal !== session.identity?.principal) apiSecret = null;
  session = next;
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export const useSession = (): Session => useSyncExternalStore(subscribe, () => session);
/** The viewer's principal, or null. */
export const usePrincipal = (): string | null => useSession().identity?.principal ?? null;

/** Takes up the identity that was used last. */
export async function restoreSession(): Promise<void> {
  const principal = currentPrincipal.get();
  const identity = principal ? await keptIdentity(principal).catch(() => null) : null;
  change(identity ? { status: 'signed-in', identity } : { status: 'signed-out', identity: null });
}

export async function adoptIdentity(identity: IdentityRecord): Promise<void> {
  await keepIdentity(identity);
  currentPrincipal.set(identity.principal);
  change({ status: 'signed-in', identity });
  for (const { resolve } of waiting) resolve(identity);
  waiting = [];
}

/** Leaves the key in this browser, and forgets that it was in use. */
export function signOut(): void {
  currentPrincipal.set(null);
  change({ status: 'signed-out', identity: null });
}

/** The app says here how to ask the person for a key. */
export function setIdentityDialog(ask: (() => void) | null): void {
  askPerson = ask;
}

/** The person closed the dialog. */
export function identityDialogClosed(): void {
  for (const { reject } of waiting) reject(new NotSignedIn());
  waiting = [];
}

/** The identity to sign with; opens the dialog when there is none, or when its session is over. Rejects with NotSignedIn. */
export function requireIdentity(): Promise<IdentityRecord> {
  const { identity } = session;
  if (identity && !isExpired(identity)) return Promise.resolve(identity);
  if (!askPerson) return Promise.reject(new NotSignedIn());
  const asked = new Promise<IdentityRecord>((resolve, reject) => waiting.push({ resolve, reject }));
  askPerson();
  return asked;
}

async function openApiSession(ask: boolean): Promise<string> {
  const { identity: current } = session;
  const identity = current && !isExpired(current) ? current : ask ? await requireIdentity() : null;
  if (!identity) throw new NotSignedIn();
  const [{ proveSignIn }, { challenge, message }] = await Promise.all([import('./keys'), askChallenge(identity.principal)]);
  const answer = await signIn(await proveSignIn(identity, challenge, message));
  return answer.session;
}

setSessionSource(({ renew, ask }) => {
  if (renew) apiSecret = null;
  if (!apiSecret) {
    const opening = openApiSession(ask);
    apiSecret = opening;
    opening.catch(() => {
      if (apiSecret === opening) apiSecret = null;
    });
  }
  return apiSecret;
});
