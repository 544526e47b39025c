// Recovery phrases: 24 English words (BIP-39) -> Ed25519 key by SLIP-0010 at m/44'/223'/0'/0'/0'.
//
// The Internet Computer's coin type is 223. ic-py's `Identity.from_seed` derives another key from the same words.
import { hmac } from '@noble/hashes/hmac.js';
import { sha512 } from '@noble/hashes/sha2.js';
import { generateMnemonic, mnemonicToSeed, validateMnemonic } from '@scure/bip39';
import { wordlist } from '@scure/bip39/wordlists/english.js';

const HARDENED = 0x8000_0000;
const PATH = [44, 223, 0, 0, 0];

export class BadPhrase extends Error {
  override readonly name = 'BadPhrase';
}

export const newPhrase = (): string => generateMnemonic(wordlist, 256);

export const tidyPhrase = (phrase: string): string => phrase.normalize('NFKD').toLowerCase().trim().split(/\s+/).join(' ');

/** The private key, 32 bytes. Throws BadPhrase, which says what is wrong with the words. */
export async function seedOfPhrase(phrase: string): Promise<Uint8Array> {
  const tidy = tidyPhrase(phrase);
  const given = tidy.split(' ');
  const unknown = given.find((word) => !wordlist.includes(word));
  if (given.length !== 24) throw new BadPhrase(`A recovery phrase has 24 words; these are ${tidy ? given.length : 0}.`);
  if (unknown) throw new BadPhrase(`"${unknown}" is not one of the words that phrases are made of. Check its spelling.`);
  if (!validateMnemonic(tidy, wordlist)) throw new BadPhrase('These words do not fit together: one is wrong, or two are exchanged.');
  return deriveEd25519(await mnemonicToSeed(tidy), PATH);
}

/** SLIP-0010 for Ed25519: every step is hardened. */
export function deriveEd25519(seed: Uint8Array, path: readonly number[]): Uint8Array {
  let node = hmac(sha512, new TextEncoder().encode('ed25519 seed'), seed);
  for (const index of path) {
    const data = new Uint8Array(37);
    data.set(node.subarray(0, 32), 1);
    new DataView(data.buffer).setUint32(33, (index + HARDENED) >>> 0);
    node = hmac(sha512, node.subarray(32), data);
  }
  return node.slice(0, 32);
}
