// The keys that open a contributor's sealed files. They stay with their owner: in this browser, wrapped by a key that cannot be exported,
// and in a key file that the owner downloads. Whoever loses both can approve no further worker for that file.
import { concat, fromHex, owned, randomBytes, toHex, utf8, type Bytes } from './bytes';
import { allKept, keep, kept } from './idb';

export interface ContentKeyEntry {
  owner: string;
  manifest_hash: string;
  ciphertext_root: string;
  title: string;
  iv: Bytes;
  wrapped: Bytes;
}

export interface KeyFile {
  format: 'commonweight/key-file/v1';
  owner: string;
  title: string;
  manifest_hash: string;
  ciphertext_root: string;
  /** Hex. Plain when there is no passphrase, AES-256-GCM under PBKDF2-SHA-256 otherwise. */
  key: string;
  protection: { salt: string; iv: string; iterations: number } | null;
}

export class KeyFileRefused extends Error {
  override readonly name = 'KeyFileRefused';
}

const ITERATIONS = 600_000;
const at = (owner: string, manifestHash: string): string => `${owner}/${manifestHash}`;

/** One AES key an identity and browser, made at the first need. */
async function wrappingKey(owner: string): Promise<CryptoKey> {
  const before = await kept<CryptoKey>('wrapping_keys', owner);
  if (before) return before;
  const key = await crypto.subtle.generateKey({ name: 'AES-GCM', length: 256 }, false, ['encrypt', 'decrypt']);
  await keep('wrapping_keys', owner, key);
  return key;
}

export async function keepContentKey(entry: Omit<ContentKeyEntry, 'iv' | 'wrapped'>, key: Uint8Array): Promise<void> {
  const iv = randomBytes(12);
  const additionalData = utf8(at(entry.owner, entry.manifest_hash));
  const wrapped = await crypto.subtle.encrypt({ name: 'AES-GCM', iv, additionalData }, await wrappingKey(entry.owner), owned(key));
  await keep('content_keys', at(entry.owner, entry.manifest_hash), { ...entry, iv, wrapped: new Uint8Array(wrapped) });
}

/** The key, or null when this browser does not have it. */
export async function contentKey(owner: string, manifestHash: string): Promise<Bytes | null> {
  const entry = await kept<ContentKeyEntry>('content_keys', at(owner, manifestHash));
  if (!entry) return null;
  const additionalData = utf8(at(owner, manifestHash));
  const key = await crypto.subtle.decrypt({ name: 'AES-GCM', iv: owned(entry.iv), additionalData }, await wrappingKey(owner), owned(entry.wrapped));
  return new Uint8Array(key);
}

export const contentKeysOf = async (owner: string): Promise<ContentKeyEntry[]> =>
  (await allKept<ContentKeyEntry>('content_keys')).filter((entry) => entry.owner === owner);

async function passphraseKey(passphrase: string, salt: Bytes, iterations: number): Promise<CryptoKey> {
  const base = await crypto.subtle.importKey('raw', utf8(passphrase.normalize('NFKC')), 'PBKDF2', false, ['deriveKey']);
  const how = { name: 'PBKDF2', hash: 'SHA-256', salt, iterations };
  return crypto.subtle.deriveKey(how, base, { name: 'AES-GCM', length: 256 }, false, ['encrypt', 'decrypt']);
}

/** The text of a key file. An empty passphrase leaves the key readable in it. */
export async function keyFileText(entry: Pick<ContentKeyEntry, 'owner' | 'manifest_hash' | 'ciphertext_root' | 'title'>, key: Bytes, passphrase: string): Promise<string> {
  const file: KeyFile = {
    format: 'commonweight/key-file/v1',
    owner: entry.owner,
    title: entry.title,
    manifest_hash: entry.manifest_hash,
    ciphertext_root: entry.ciphertext_root,
    key: toHex(key),
    protection: null,
  };
  if (passphrase) {
    const [salt, iv] = [randomBytes(16), randomBytes(12)];
    const under = await passphraseKey(passphrase, salt, ITERATIONS);
    const additionalData = fromHex(entry.manifest_hash);
    file.key = toHex(new Uint8Array(await crypto.subtle.encrypt({ name: 'AES-GCM', iv, additionalData }, under, key)));
    file.protection = { salt: toHex(salt), iv: toHex(iv), iterations: ITERATIONS };
  }
  return `${JSON.stringify(file, null, 1)}\n`;
}

/** Reads a key file and keeps its key in this browser. Throws KeyFileRefused, which says what is wrong. */
export async function restoreKeyFile(text: string, passphrase: string, owner: string): Promise<KeyFile> {
  const file = parseKeyFile(text);
  if (file.owner !== owner) throw new KeyFileRefused(`This key file belongs to ${file.owner}. Sign in as its owner first.`);
  const key = file.protection ? await underPassphrase(file, passphrase) : fromHex(file.key);
  if (key.length !== 32) throw new KeyFileRefused('The key in this file does not have 32 bytes: the file is damaged.');
  await keepContentKey({ owner: file.owner, manifest_hash: file.manifest_hash, ciphertext_root: file.ciphertext_root, title: file.title }, key);
  return file;
}

function parseKeyFile(text: string): KeyFile {
  let file: Partial<KeyFile> | null = null;
  try {
    file = JSON.parse(text) as Partial<KeyFile> | null;
  } catch {
    file = null;
  }
  const hex = (value: unknown): boolean => typeof value === 'string' && /^[0-9a-f]*$/.test(value) && value.length % 2 === 0;
  const fits =
    file?.format === 'commonweight/key-file/v1' &&
    typeof file.owner === 'string' &&
    typeof file.title === 'string' &&
    [file.key, file.manifest_hash, file.ciphertext_root].every(hex);
  if (!fits) throw new KeyFileRefused('This is not a key file of Commonweight.');
  return file as KeyFile;
}

async function underPassphrase(file: KeyFile, passphrase: string): Promise<Bytes> {
  if (!file.protection) throw new TypeError('not protected');
  if (!passphrase) throw new KeyFileRefused('This key file is protected: type its passphrase.');
  const { salt, iv, iterations } = file.protection;
  try {
    const under = await passphraseKey(passphrase, fromHex(salt), iterations);
    const how = { name: 'AES-GCM', iv: fromHex(iv), additionalData: fromHex(file.manifest_hash) };
    return concat(new Uint8Array(await crypto.subtle.decrypt(how, under, fromHex(file.key))));
  } catch {
    throw new KeyFileRefused('The passphrase does not open this key file.');
  }
}
