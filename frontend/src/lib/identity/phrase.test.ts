import { Ed25519KeyIdentity } from '@icp-sdk/core/identity';
import { expect, test } from 'vitest';
import { fromHex, toHex } from '@/lib/bytes';
import { BadPhrase, deriveEd25519, newPhrase, seedOfPhrase } from './phrase';

const ZEROS = `${'abandon '.repeat(23)}art`;

// Source: SLIP-0010, test vector 1 for ed25519.
test.each([
  [[], '2b4be7f19ee27bbf30c667b642d5f4aa69fd169872f8fc3059c08ebae2eb19e7'],
  [[0], '68e0fe46dfb67e368c75379acec591dad19df3cde26e63b93a8e704f1dade7a3'],
  [[0, 1], 'b1d0bad404bf35da785a64ca1ac54b2617211d2777696fbffaf208f746ae84f2'],
  [[0, 1, 2, 2, 1000000000], '8f94d394a8e8fd6b1bc2f3f49f5c47e385281d5c17e65324b0f62483e37e8793'],
])('the published vector at m/%j', (path, key) => {
  expect(toHex(deriveEd25519(fromHex('000102030405060708090a0b0c0d0e0f'), path))).toBe(key);
});

test('the same words give the same principal, however they are typed', async () => {
  const principal = async (phrase: string) => Ed25519KeyIdentity.generate(await seedOfPhrase(phrase)).getPrincipal().toText();

  expect(await principal(`  ${ZEROS.toUpperCase().replaceAll(' ', '\n ')}`)).toBe(await principal(ZEROS));
  expect(await principal(ZEROS)).toMatchInlineSnapshot(`"5nrsv-gw4hr-5wxr4-pws3a-cdgs2-kih6n-5liig-ylgxg-inbpv-3spsz-uae"`);
});

test('a new phrase has 24 words and can be used', async () => {
  const phrase = newPhrase();

  expect(phrase.split(' ')).toHaveLength(24);
  await expect(seedOfPhrase(phrase)).resolves.toHaveLength(32);
});

test.each([
  ['', /these are 0/],
  ['abandon abandon', /these are 2/],
  [ZEROS.replace('art', 'artt'), /"artt" is not one of the words/],
  [ZEROS.replace('art', 'zoo'), /do not fit together/],
])('wrong words are refused and say why (%#)', async (phrase, said) => {
  await expect(seedOfPhrase(phrase)).rejects.toThrow(BadPhrase);
  await expect(seedOfPhrase(phrase)).rejects.toThrow(said);
});
