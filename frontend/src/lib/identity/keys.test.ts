import { DelegationChain, Ed25519KeyIdentity, isDelegationValid } from '@icp-sdk/core/identity';
import { Principal } from '@icp-sdk/core/principal';
import { expect, test } from 'vitest';
import { fromHex, toHex, utf8 } from '@/lib/bytes';
import { createDeviceIdentity, delegateTo, identityFromPhrase, IdentityLocked, proveSignIn, signer, signInMessage } from './keys';

const ZEROS = `${'abandon '.repeat(23)}art`;
const CHALLENGE = 'ab'.repeat(32);
const MESSAGE = `${toHex(utf8('\x13commonweight-signin'))}${CHALLENGE}`;

/** P-256 over SHA-256, as the marketplace checks it. */
async function verifies(publicKey: string, signature: string, message: Uint8Array): Promise<boolean> {
  const key = await crypto.subtle.importKey('spki', fromHex(publicKey), { name: 'ECDSA', namedCurve: 'P-256' }, false, ['verify']);
  return crypto.subtle.verify({ name: 'ECDSA', hash: 'SHA-256' }, key, fromHex(signature), new Uint8Array(message));
}

test('a key made on this device cannot be exported', async () => {
  const record = await createDeviceIdentity();

  expect(record.keyPair.privateKey.extractable).toBe(false);
  await expect(crypto.subtle.exportKey('pkcs8', record.keyPair.privateKey)).rejects.toThrow();
  expect((await signer(record)).getPrincipal().toText()).toBe(record.principal);
});

test('a phrase signs through a session key, under its own principal, and leaves no seed behind', async () => {
  const record = await identityFromPhrase(ZEROS);
  const signs = await signer(record);

  expect(signs.getPrincipal().toText()).toBe(record.principal);
  expect(record.keyPair.privateKey.extractable).toBe(false);
  expect(record.chain && isDelegationValid(DelegationChain.fromJSON(record.chain))).toBe(true);
  expect(JSON.stringify({ ...record, keyPair: null })).not.toContain('abandon');
});

test('a session that is over signs nothing', async () => {
  const record = { ...(await identityFromPhrase(ZEROS)), expires_at_ms: Date.now() - 1 };

  await expect(signer(record)).rejects.toThrow(IdentityLocked);
  await expect(proveSignIn(record, CHALLENGE, MESSAGE)).rejects.toThrow(IdentityLocked);
  await expect(delegateTo(record, '00', [], new Date())).rejects.toThrow(IdentityLocked);
});

test('signing in proves the key that signs, and the way to it from the principal', async () => {
  const device = await createDeviceIdentity();
  const phrase = await identityFromPhrase(ZEROS);

  const [direct, delegated] = [await proveSignIn(device, CHALLENGE, MESSAGE), await proveSignIn(phrase, CHALLENGE, MESSAGE)];

  expect(await verifies(direct.public_key, direct.signature, fromHex(MESSAGE))).toBe(true);
  expect(direct.delegations).toEqual([]);
  expect(direct.root_public_key).toBeUndefined();
  expect(await verifies(delegated.public_key, delegated.signature, fromHex(MESSAGE))).toBe(true);
  expect(delegated.delegations[0]?.delegation.pubkey).toBe(delegated.public_key);
  expect(Principal.selfAuthenticating(fromHex(delegated.root_public_key ?? '')).toText()).toBe(phrase.principal);
});

test('a server that asks for a signature over something else gets none', () => {
  expect(toHex(signInMessage(CHALLENGE, MESSAGE))).toBe(MESSAGE);
  for (const asked of [CHALLENGE, `0a69632d72657175657374${CHALLENGE}`, MESSAGE.replace(/..$/, '00')]) {
    expect(() => signInMessage(CHALLENGE, asked)).toThrow(/not a sign-in/);
  }
});

test('an API token is a delegation with exactly the targets and the end that were asked for', async () => {
  const [device, phrase] = [await createDeviceIdentity(), await identityFromPhrase(ZEROS)];
  const server = Ed25519KeyIdentity.generate();
  const publicKey = toHex(server.getPublicKey().toDer());
  const expires = new Date(Date.now() + 3_600_000);

  const direct = DelegationChain.fromJSON(await delegateTo(device, publicKey, ['rdmx6-jaaaa-aaaaa-aaadq-cai'], expires));
  const chained = DelegationChain.fromJSON(await delegateTo(phrase, publicKey, ['rdmx6-jaaaa-aaaaa-aaadq-cai'], expires));

  expect(direct.delegations).toHaveLength(1);
  expect(chained.delegations).toHaveLength(2);
  for (const chain of [direct, chained]) {
    const last = chain.delegations[chain.delegations.length - 1]?.delegation;
    expect(last?.targets?.map((target) => target.toText())).toEqual(['rdmx6-jaaaa-aaaaa-aaadq-cai']);
    expect(toHex(last?.pubkey ?? new Uint8Array())).toBe(publicKey);
    expect(last?.expiration).toBe(BigInt(expires.getTime()) * 1_000_000n);
  }
});
