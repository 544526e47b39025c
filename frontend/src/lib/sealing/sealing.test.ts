// The twin of marketplace/client/sealing.py: both are held to tests/fixtures/sealing.json.
import { Aes256Gcm, CipherSuite, DhkemP256HkdfSha256, HkdfSha256 } from '@hpke/core';
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { concat, fromHex, sha256, toHex, utf8 } from '@/lib/bytes';
import { chunkOf, importContentKey, manifestBytes, seal, SealBroken, wrapKey } from './sealing';

const vectors = JSON.parse(readFileSync(new URL('../../../../tests/fixtures/sealing.json', import.meta.url), 'utf8')) as Record<string, string> & { repeats: number };
const vector = (name: string): string => vectors[name] ?? '';
const key = fromHex(vector('key'));
const fileId = fromHex(vector('file_id'));
const file = () => new Blob([vector('plaintext_repeated').repeat(vectors.repeats)]);

/** The worker's key pair: a private key is a P-256 number, its point is in the vectors. */
async function workerKey(): Promise<CryptoKey> {
  const d = fromHex(vector('worker_private_key').padStart(64, '0'));
  const point = fromHex(vector('worker_encryption_key'));
  const base64 = (data: Uint8Array): string => Buffer.from(data).toString('base64url');
  const jwk = { kty: 'EC', crv: 'P-256', d: base64(d), x: base64(point.slice(1, 33)), y: base64(point.slice(33)) };
  return crypto.subtle.importKey('jwk', jwk, { name: 'ECDH', namedCurve: 'P-256' }, true, ['deriveBits']);
}

async function unwrap(wrapped: Uint8Array, root: string, worker: Uint8Array): Promise<Uint8Array> {
  const suite = new CipherSuite({ kem: new DhkemP256HkdfSha256(), kdf: new HkdfSha256(), aead: new Aes256Gcm() });
  const info = concat(utf8('commonweight/content-key/v1'), fromHex(root), worker);
  const recipient = await suite.createRecipientContext({ recipientKey: await workerKey(), enc: wrapped.slice(0, 65), info });
  return new Uint8Array(await recipient.open(wrapped.slice(65)));
}

test('a file seals to the shared vectors', async () => {
  const sealed = await seal(file(), key, fileId);

  expect(new TextDecoder().decode(manifestBytes(sealed.manifest))).toBe(vector('manifest'));
  expect(sealed.manifest_hash).toBe(vector('manifest_hash'));
  expect(sealed.manifest.ciphertext_root).toBe(vector('ciphertext_root'));
  expect(sealed.plaintext_commitment).toBe(vector('plaintext_commitment'));
  expect(sealed.size_bytes).toBe(1_400_000 + 2 * 16);
});

test('a chunk encrypted again for sending is the one that the manifest names', async () => {
  const { manifest } = await seal(file(), key, fileId);
  const cipher = await importContentKey(key);

  for (const [index, chunk] of manifest.chunks.entries()) {
    expect(toHex(await sha256(await chunkOf(file(), cipher, fileId, index)))).toBe(chunk.sha256);
  }
});

test('an empty file is refused, and a stopped one leaves nothing', async () => {
  await expect(seal(new Blob([]), key, fileId)).rejects.toThrow(SealBroken);
  await expect(seal(file(), key, fileId, undefined, () => true)).rejects.toThrow(/Nothing has left/);
});

test('a key wrapped by Python opens here, so both speak the same HPKE', async () => {
  const opened = await unwrap(fromHex(vector('wrapped')), vector('ciphertext_root'), fromHex(vector('worker')));

  expect(toHex(opened)).toBe(vector('key'));
});

test('a key wrapped here opens for its worker and file, and for no other', async () => {
  const worker = fromHex(vector('worker'));
  const wrapped = await wrapKey(key, vector('worker_encryption_key'), vector('ciphertext_root'), worker);

  expect(wrapped).toHaveLength(113);
  expect(toHex(await unwrap(wrapped, vector('ciphertext_root'), worker))).toBe(vector('key'));
  await expect(unwrap(wrapped, vector('ciphertext_root'), utf8('another'))).rejects.toThrow();
  await expect(unwrap(wrapped, '00'.repeat(32), worker)).rejects.toThrow();
});

test('a worker whose key is no point is refused', async () => {
  await expect(wrapKey(key, `04${'01'.repeat(64)}`, vector('ciphertext_root'), utf8('w'))).rejects.toThrow(/not a P-256 point/);
});
