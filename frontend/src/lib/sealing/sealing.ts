// Sealed files: how a dataset leaves its owner's machine. The twin of marketplace/client/sealing.py, held to tests/fixtures/sealing.json.
//
// A file is cut into chunks of 1 MiB, each encrypted by AES-256-GCM under a key used for this file only. Chunk by chunk, so that a large
// file never stands in memory; and the same key gives the same chunks, so that an upload can be resumed by encrypting again.
import { canonicalBytes, concat, fromHex, owned, sha256, toHex, utf8, type Bytes } from '@/lib/bytes';

export const FORMAT = 'commonweight/sealed/v1';
export const CHUNK_BYTES = 1 << 20;
export const TAG_BYTES = 16;
const CHUNK_CONTEXT = utf8('commonweight/chunk/v1');
const COMMITMENT_CONTEXT = utf8('commonweight/commitment/v1');
const KEY_CONTEXT = utf8('commonweight/content-key/v1');

/** A sealed file or key does not hold. The text says which part, and what that means. */
export class SealBroken extends Error {
  override readonly name = 'SealBroken';
}

export interface SealedManifest {
  chunk_bytes: number;
  chunks: { sha256: string; size_bytes: number }[];
  ciphertext_root: string;
  file_id: string;
  format: string;
  plaintext_bytes: number;
}

export interface Sealed {
  manifest: SealedManifest;
  manifest_hash: string;
  plaintext_commitment: string;
  size_bytes: number;
}

export const chunkCount = (bytes: number): number => Math.ceil(bytes / CHUNK_BYTES);

export async function importContentKey(key: Bytes): Promise<CryptoKey> {
  return crypto.subtle.importKey('raw', key, 'AES-GCM', false, ['encrypt']);
}

/** One encrypted chunk. `index` of `count`. */
export async function sealChunk(key: CryptoKey, fileId: Bytes, index: number, count: number, piece: Bytes): Promise<Bytes> {
  const how = { name: 'AES-GCM', iv: bigEndian(index, 12), additionalData: concat(CHUNK_CONTEXT, fileId, bigEndian(index, 4), bigEndian(count, 4)) };
  return new Uint8Array(await crypto.subtle.encrypt(how, key, piece));
}

const piece = async (file: Blob, index: number): Promise<Bytes> =>
  new Uint8Array(await file.slice(index * CHUNK_BYTES, (index + 1) * CHUNK_BYTES).arrayBuffer());

/** Encrypts a chunk of a file again, for sending. */
export async function chunkOf(file: Blob, key: CryptoKey, fileId: Bytes, index: number): Promise<Bytes> {
  return sealChunk(key, fileId, index, chunkCount(file.size), await piece(file, index));
}

/** Goes once through a file and says what its sealed form consists of. `onProgress`: bytes done. Throws SealBroken for an empty file. */
export async function seal(file: Blob, key: Bytes, fileId: Bytes, onProgress?: (bytes: number) => void, shouldStop?: () => boolean): Promise<Sealed> {
  if (file.size === 0) throw new SealBroken('The file is empty: there is nothing to seal.');
  const count = chunkCount(file.size);
  const cipher = await importContentKey(key);
  const salt = await commitmentSalt(key);
  const chunks: SealedManifest['chunks'] = [];
  const [leaves, commitments]: [Bytes[], Bytes[]] = [[], []];
  for (let index = 0; index < count; index += 1) {
    if (shouldStop?.()) throw new SealBroken('Stopped. Nothing has left this machine.');
    const plain = await piece(file, index);
    const chunk = await sealChunk(cipher, fileId, index, count, plain);
    chunks.push({ sha256: toHex(await sha256(chunk)), size_bytes: chunk.length });
    leaves.push(await leaf(chunk));
    commitments.push(await leaf(concat(salt, plain)));
    onProgress?.(Math.min(file.size, (index + 1) * CHUNK_BYTES));
  }
  const manifest: SealedManifest = {
    chunk_bytes: CHUNK_BYTES,
    chunks,
    ciphertext_root: toHex(await merkleRoot(leaves)),
    file_id: toHex(fileId),
    format: FORMAT,
    plaintext_bytes: file.size,
  };
  return {
    manifest,
    manifest_hash: toHex(await sha256(manifestBytes(manifest))),
    plaintext_commitment: toHex(await merkleRoot(commitments)),
    size_bytes: chunks.reduce((sum, chunk) => sum + chunk.size_bytes, 0),
  };
}

export const manifestBytes = (manifest: SealedManifest): Bytes => canonicalBytes({ ...manifest });

/** Leaf SHA-256(0x00 || data). */
const leaf = (data: Uint8Array): Promise<Bytes> => sha256(concat(new Uint8Array([0]), data));

/** The root over leaf hashes: node SHA-256(0x01 || left || right), an odd node goes up as it is. */
async function merkleRoot(leaves: readonly Bytes[]): Promise<Bytes> {
  let level = [...leaves];
  while (level.length > 1) {
    const above: Bytes[] = [];
    for (let i = 0; i + 1 < level.length; i += 2) above.push(await sha256(concat(new Uint8Array([1]), level[i] as Bytes, level[i + 1] as Bytes)));
    if (level.length % 2) above.push(level[level.length - 1] as Bytes);
    level = above;
  }
  const [root] = level;
  if (!root) throw new SealBroken('A Merkle tree needs at least one leaf.');
  return root;
}

/** From the key: without a salt, a short file's content could be guessed from its hash. */
async function commitmentSalt(key: Bytes): Promise<Bytes> {
  const base = await crypto.subtle.importKey('raw', key, 'HKDF', false, ['deriveBits']);
  const how = { name: 'HKDF', hash: 'SHA-256', salt: new Uint8Array(32), info: COMMITMENT_CONTEXT };
  return new Uint8Array(await crypto.subtle.deriveBits(how, base, 256));
}

function bigEndian(value: number, size: number): Bytes {
  const data = new Uint8Array(size);
  new DataView(data.buffer).setUint32(size - 4, value);
  return data;
}

// --- giving the key to one worker ---

async function hpke() {
  const { Aes256Gcm, CipherSuite, DhkemP256HkdfSha256, HkdfSha256 } = await import('@hpke/core');
  return new CipherSuite({ kem: new DhkemP256HkdfSha256(), kdf: new HkdfSha256(), aead: new Aes256Gcm() });
}

const keyContext = (ciphertextRoot: string, worker: Uint8Array): Bytes => concat(KEY_CONTEXT, fromHex(ciphertextRoot), worker);

/** Wraps a content key (HPKE, RFC 9180) so that one worker, for one file, can open it.
 *
 * `encryptionKey`: the worker's P-256 point from the chain, hex. `worker`: its principal's bytes. Returns 113 bytes. Throws SealBroken. */
export async function wrapKey(key: Bytes, encryptionKey: string, ciphertextRoot: string, worker: Uint8Array): Promise<Bytes> {
  const suite = await hpke();
  let recipientPublicKey: CryptoKey;
  try {
    recipientPublicKey = await suite.kem.importKey('raw', fromHex(encryptionKey).buffer, true);
  } catch {
    throw new SealBroken("The worker's encryption key on the chain is not a P-256 point: choose another worker.");
  }
  const sender = await suite.createSenderContext({ recipientPublicKey, info: keyContext(ciphertextRoot, worker).buffer });
  return concat(new Uint8Array(sender.enc), new Uint8Array(await sender.seal(owned(key).buffer)));
}
