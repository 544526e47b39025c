// The npm package @dfinity/vetkeys, unmodified, judges what the embedded network derives. Input: one JSON argument of hex strings
// { masterPublic, canister, context, input, transportSecret, publicKey, encryptedKey, domain }. Output: { vetKey, symmetric } in hex, or it ends with an error.
import { DerivedPublicKey, EncryptedVetKey, TransportSecretKey } from '@dfinity/vetkeys';

const told = JSON.parse(process.argv[2]);
const bytes = (hex) => Uint8Array.from(Buffer.from(hex, 'hex'));
const transport = TransportSecretKey.deserialize(bytes(told.transportSecret));
const key = DerivedPublicKey.deserialize(bytes(told.publicKey));
const vetKey = EncryptedVetKey.deserialize(bytes(told.encryptedKey)).decryptAndVerify(transport, key, bytes(told.input));
const hex = (data) => Buffer.from(data).toString('hex');
console.log(JSON.stringify({ vetKey: hex(vetKey.serialize()), symmetric: hex(vetKey.deriveSymmetricKey(told.domain, 32)) }));
