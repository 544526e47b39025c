import { expect, test } from 'vitest';
import { randomBytes, toHex } from './bytes';
import { contentKey, keepContentKey, keyFileText, restoreKeyFile, type KeyFile } from './content-keys';
import { kept } from './idb';

const entry = (owner: string) => ({ owner, title: 'Clinic rows', manifest_hash: toHex(randomBytes(32)), ciphertext_root: toHex(randomBytes(32)) });

test('a key is kept wrapped, and comes back for its owner only', async () => {
  const mine = entry('alice');
  const key = randomBytes(32);

  await keepContentKey(mine, key);

  expect(await contentKey('alice', mine.manifest_hash)).toEqual(key);
  expect(await contentKey('bob', mine.manifest_hash)).toBeNull();
  const stored = await kept<{ wrapped: Uint8Array }>('content_keys', `alice/${mine.manifest_hash}`);
  expect(toHex(stored?.wrapped ?? new Uint8Array())).not.toContain(toHex(key));
  const wrapping = await kept<CryptoKey>('wrapping_keys', 'alice');
  expect(wrapping?.extractable).toBe(false);
});

test('a key file brings the key back into another browser', async () => {
  const mine = entry('carol');
  const key = randomBytes(32);

  for (const passphrase of ['', 'korrekt Pferd']) {
    const text = await keyFileText(mine, key, passphrase);
    await restoreKeyFile(text, passphrase, 'carol');
    expect(await contentKey('carol', mine.manifest_hash)).toEqual(key);
  }
});

test('a protected key file does not show the key, and a wrong passphrase does not open it', async () => {
  const mine = entry('dave');
  const key = randomBytes(32);
  const text = await keyFileText(mine, key, 'right');

  expect(text).not.toContain(toHex(key));
  await expect(restoreKeyFile(text, 'wrong', 'dave')).rejects.toThrow(/passphrase does not open/);
  await expect(restoreKeyFile(text, '', 'dave')).rejects.toThrow(/type its passphrase/);
  const moved = JSON.stringify({ ...(JSON.parse(text) as KeyFile), manifest_hash: '00'.repeat(32) });
  await expect(restoreKeyFile(moved, 'right', 'dave')).rejects.toThrow(/passphrase does not open/);
  expect(await contentKey('dave', mine.manifest_hash)).toBeNull();
});

test.each(['', 'not json', '{}', '{"format":"commonweight/key-file/v1"}', 'null', '[]'])('%j is no key file', async (text) => {
  await expect(restoreKeyFile(text, '', 'erin')).rejects.toThrow(/not a key file/);
});

test("somebody else's key file, and a damaged one, are refused", async () => {
  const mine = entry('frank');

  await expect(restoreKeyFile(await keyFileText(mine, randomBytes(32), ''), '', 'grace')).rejects.toThrow(/belongs to frank/);
  await expect(restoreKeyFile(await keyFileText(mine, randomBytes(31), ''), '', 'frank')).rejects.toThrow(/damaged/);
});
