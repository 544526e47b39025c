// Making and using identities. Loaded with the agent, at the first need of a key.
//
// Three kinds, one shape: a non-extractable P-256 key in this browser signs. For `device` it is the identity; for `phrase` and
// `passkey` the root delegates to it for eight hours, so that no request needs a tap and no seed stays behind.
import { DelegationChain, DelegationIdentity, ECDSAKeyIdentity, Ed25519KeyIdentity, WebAuthnIdentity } from '@icp-sdk/core/identity';
import type { SignIdentity } from '@icp-sdk/core/agent';
import { Principal } from '@icp-sdk/core/principal';
import { fromHex, randomBytes, toHex } from '@/lib/bytes';
import { isExpired, type IdentityRecord } from './record';
import { seedOfPhrase } from './phrase';

const SESSION_MS = 8 * 3600 * 1000;

/** The key's session is over: the person has to unlock it again. */
export class IdentityLocked extends Error {
  override readonly name = 'IdentityLocked';
  constructor() {
    super('Your session with this key is over. Unlock it again to go on; nothing was sent.');
  }
}

export async function createDeviceIdentity(): Promise<IdentityRecord> {
  const identity = await ECDSAKeyIdentity.generate();
  return record(identity, 'device', identity.getKeyPair(), null, null);
}

/** Throws BadPhrase when the words are not a recovery phrase. */
export async function identityFromPhrase(phrase: string): Promise<IdentityRecord> {
  const root = Ed25519KeyIdentity.generate(await seedOfPhrase(phrase));
  return delegated(root, 'phrase', null);
}

/** Asks the browser for a new passkey. The caller must call this straight from the click: browsers refuse it later. */
export async function createPasskey(label: string): Promise<IdentityRecord> {
  const root = await WebAuthnIdentity.create({
    publicKey: {
      rp: { id: location.hostname, name: 'Commonweight' },
      user: { id: randomBytes(32), name: label, displayName: label },
      challenge: randomBytes(32),
      attestation: 'none',
      authenticatorSelection: { residentKey: 'required', userVerification: 'required' },
      pubKeyCredParams: [-7, -8, -257].map((alg) => ({ type: 'public-key' as const, alg })),
    },
  });
  const json = root.toJSON();
  return delegated(root, 'passkey', { raw_id: String(json.rawId), cose: String(json.publicKey) });
}

/** One tap: a fresh session of eight hours under the same principal. */
export async function unlockPasskey(kept: IdentityRecord): Promise<IdentityRecord> {
  return delegated(passkeyRoot(kept), 'passkey', kept.passkey);
}

function passkeyRoot(kept: IdentityRecord): WebAuthnIdentity {
  if (!kept.passkey) throw new TypeError('not a passkey');
  return WebAuthnIdentity.fromJSON(JSON.stringify({ rawId: kept.passkey.raw_id, publicKey: kept.passkey.cose }));
}

async function delegated(root: SignIdentity, kind: 'phrase' | 'passkey', passkey: IdentityRecord['passkey']): Promise<IdentityRecord> {
  const session = await ECDSAKeyIdentity.generate();
  const expires = Date.now() + SESSION_MS;
  const chain = await DelegationChain.create(root, session.getPublicKey(), new Date(expires));
  return { ...record(root, kind, session.getKeyPair(), passkey, expires), chain: chain.toJSON() };
}

function record(
  root: SignIdentity,
  kind: IdentityRecord['kind'],
  keyPair: CryptoKeyPair,
  passkey: IdentityRecord['passkey'],
  expires: number | null,
): IdentityRecord {
  return { principal: root.getPrincipal().toText(), kind, created_at_ms: Date.now(), keyPair, chain: null, expires_at_ms: expires, passkey };
}

/** What signs requests as this identity's principal. Throws IdentityLocked. */
export async function signer(kept: IdentityRecord): Promise<SignIdentity> {
  if (isExpired(kept)) throw new IdentityLocked();
  const key = await ECDSAKeyIdentity.fromKeyPair(kept.keyPair);
  return kept.chain ? DelegationIdentity.fromDelegation(key, DelegationChain.fromJSON(kept.chain)) : key;
}

// --- signing in to the API ---

const SIGN_IN_DOMAIN = new Uint8Array([0x13, ...new TextEncoder().encode('commonweight-signin')]);

/** The challenge under this site's own domain, which no other signed message begins with. Throws when the server asks for another text. */
export function signInMessage(challenge: string, asked: string): Uint8Array {
  const message = new Uint8Array([...SIGN_IN_DOMAIN, ...fromHex(challenge)]);
  if (toHex(message) !== asked) throw new Error('The marketplace asked for a signature over something that is not a sign-in. Nothing was signed.');
  return message;
}

export async function proveSignIn(kept: IdentityRecord, challenge: string, asked: string) {
  if (isExpired(kept)) throw new IdentityLocked();
  const key = await ECDSAKeyIdentity.fromKeyPair(kept.keyPair);
  const signature = await key.sign(signInMessage(challenge, asked));
  return {
    principal: kept.principal,
    challenge,
    public_key: toHex(key.getPublicKey().toDer()),
    signature: toHex(signature),
    delegations: kept.chain?.delegations ?? [],
    ...(kept.chain ? { root_public_key: kept.chain.publicKey } : {}),
  };
}

// --- API tokens ---

/** Lets a key that the server holds act as this identity, on the named canisters and until the given time only.
 *
 * A passkey signs this itself (one tap), so the token may outlive the session; a phrase's session cannot give more time than it has. */
export async function delegateTo(kept: IdentityRecord, publicKey: string, targets: string[], expires: Date) {
  const to = { toDer: () => fromHex(publicKey) as never };
  const options = { targets: targets.map((text) => Principal.fromText(text)) };
  if (kept.kind === 'passkey') return (await DelegationChain.create(passkeyRoot(kept), to, expires, options)).toJSON();
  if (isExpired(kept)) throw new IdentityLocked();
  const key = await ECDSAKeyIdentity.fromKeyPair(kept.keyPair);
  const previous = kept.chain ? DelegationChain.fromJSON(kept.chain) : undefined;
  return (await DelegationChain.create(key, to, expires, previous ? { ...options, previous } : options)).toJSON();
}
