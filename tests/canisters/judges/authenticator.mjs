// A WebAuthn authenticator in software, as a browser offers one at navigator.credentials: keys on P-256, one a credential.
// The judges use it so that the client's own WebAuthn code runs as it does in a browser. Source: W3C Web Authentication, levels 2 and 3.
import { createHash, generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import { Cbor } from '@icp-sdk/core/agent';

const ORIGIN = 'https://judge.test';
const USER_PRESENT = 0x01, ATTESTED = 0x40;
const sha256 = (data) => createHash('sha256').update(data).digest();
const clientData = (type, challenge) =>
  Buffer.from(JSON.stringify({ type, challenge: Buffer.from(challenge).toString('base64url'), origin: ORIGIN, crossOrigin: false }));
const authenticatorData = (flags, rest) => Buffer.concat([sha256('judge.test'), Buffer.from([flags, 0, 0, 0, 0]), rest]);

/// COSE_Key, canonical CBOR: { 1: 2 (EC2), 3: -7 (ES256), -1: 1 (P-256), -2: x, -3: y }
const coseOf = (publicKey) => {
  const { x, y } = publicKey.export({ format: 'jwk' });
  return Buffer.concat([
    Buffer.from('a5010203262001215820', 'hex'), Buffer.from(x, 'base64url'), Buffer.from('225820', 'hex'), Buffer.from(y, 'base64url'),
  ]);
};

/// `bend(clientDataJSON)` changes what is said to have been signed, after it was: for tests of the door.
export function authenticator(bend = (given) => given) {
  const keys = new Map();
  return {
    async create({ publicKey: { challenge } }) {
      const rawId = randomBytes(20);
      const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
      keys.set(rawId.toString('hex'), privateKey);
      const credential = Buffer.concat([Buffer.alloc(16), Buffer.from([0, rawId.length]), rawId, coseOf(publicKey)]);
      const attestationObject = Cbor.encode({ fmt: 'none', attStmt: {}, authData: Uint8Array.from(authenticatorData(USER_PRESENT | ATTESTED, credential)) });
      const response = { attestationObject, clientDataJSON: clientData('webauthn.create', challenge) };
      return { type: 'public-key', id: rawId.toString('base64url'), rawId: Uint8Array.from(rawId), response, authenticatorAttachment: 'platform', toJSON() { return {}; } };
    },
    async get({ publicKey: { challenge, allowCredentials: [{ id }] } }) {
      const said = clientData('webauthn.get', challenge);
      const authData = authenticatorData(USER_PRESENT, Buffer.alloc(0));
      const signature = sign('sha256', Buffer.concat([authData, sha256(said)]), keys.get(Buffer.from(id).toString('hex')));
      const response = { authenticatorData: Uint8Array.from(authData), clientDataJSON: bend(said), signature: Uint8Array.from(signature) };
      return { type: 'public-key', response, authenticatorAttachment: 'platform' };
    },
  };
}
