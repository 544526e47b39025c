// The official JavaScript client, unmodified and with every verification on, as a judge of the embedded network.
// Input: one JSON argument { url, rootKey, probe, ledger, large }. Output: one line of JSON, { check: "ok" or what went wrong }.
import { readFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import {
  CanisterStatus, Cbor, Certificate, HttpAgent, LookupPathStatus, fetchCandid, pollForResponse,
} from '@icp-sdk/core/agent';
import { DelegationChain, DelegationIdentity, ECDSAKeyIdentity, Ed25519KeyIdentity, WebAuthnIdentity } from '@icp-sdk/core/identity';
import { Secp256k1KeyIdentity } from '@icp-sdk/core/identity/secp256k1';
import { IDL } from '@icp-sdk/core/candid';
import { Principal } from '@icp-sdk/core/principal';
import { authenticator } from './authenticator.mjs';

const { url, rootKey, probe, ledger, large } = JSON.parse(process.argv[2]);
const MANAGEMENT = Principal.managementCanister();
const nothing = new Uint8Array();
const same = (a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)) === 0;
const sha256 = (data) => createHash('sha256').update(data).digest();
const u64 = (n) => new Uint8Array(new BigUint64Array([BigInt(n)]).buffer);
const number = (bytes) => Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
const must = (condition, what) => { if (!condition) throw new Error(what); };
async function refused(promise, pattern) {
  try { await promise; } catch (error) {
    must(pattern.test(String(error?.message ?? error)), `refused with other words: ${error?.message ?? error}`);
    return;
  }
  throw new Error('was not refused');
}

const connect = (identity, options = {}) =>
  HttpAgent.create({ host: url, rootKey: Uint8Array.from(Buffer.from(rootKey, 'hex')), identity, verifyQuerySignatures: true, retryTimes: 0, ...options });
/// Someone between client and network: `bend` changes what answers to `kind` hold.
const between = (kind, bend) => async (address, request) => {
  const answer = await fetch(address, request);
  if (!String(address).endsWith(`/${kind}`) || !answer.ok) return answer;
  const content = Cbor.decode(new Uint8Array(await answer.arrayBuffer()));
  bend(content);
  return new Response(Cbor.encode(content), { status: answer.status, headers: answer.headers });
};
async function credential(bend) {
  Object.defineProperty(globalThis.navigator ??= {}, 'credentials', { value: authenticator(bend), configurable: true });
  return WebAuthnIdentity.create();
}
const owner = Ed25519KeyIdentity.generate();
const agent = await connect(owner);
const update = async (canister, methodName, arg = nothing, by = agent) => (await by.update(canister, { methodName, arg })).reply;
async function query(canister, methodName, arg = nothing, by = agent) {
  const answer = await by.query(canister, { methodName, arg });
  if (answer.status !== 'replied') throw new Error(answer.reject_message);
  return answer.reply.arg;
}

const mode = IDL.Variant({
  install: IDL.Null, reinstall: IDL.Null,
  upgrade: IDL.Opt(IDL.Record({ skip_pre_upgrade: IDL.Opt(IDL.Bool), wasm_memory_persistence: IDL.Opt(IDL.Variant({ keep: IDL.Null, replace: IDL.Null })) })),
});
const blob = IDL.Vec(IDL.Nat8);
const manage = async (methodName, type, value, effectiveTarget) =>
  (await agent.update(MANAGEMENT, { methodName, arg: IDL.encode([type], [value]), effectiveTarget: { canisterId: effectiveTarget } })).reply;
async function create() {
  const reply = await manage('provisional_create_canister_with_cycles', IDL.Record({ amount: IDL.Opt(IDL.Nat) }), { amount: [] }, MANAGEMENT);
  return IDL.decode([IDL.Record({ canister_id: IDL.Principal })], reply)[0].canister_id;
}
const install = (canister, wasm, arg = nothing, how = { install: null }) =>
  manage('install_code', IDL.Record({ mode, canister_id: IDL.Principal, wasm_module: blob, arg: blob }),
    { mode: how, canister_id: canister, wasm_module: wasm, arg }, canister);
async function installChunked(canister, wasm) {
  const hash = IDL.Record({ hash: blob });
  const hashes = [];
  for (let at = 0; at < wasm.length; at += 1 << 20) {
    const chunk = wasm.subarray(at, at + (1 << 20));
    await manage('upload_chunk', IDL.Record({ canister_id: IDL.Principal, chunk: blob }), { canister_id: canister, chunk }, canister);
    hashes.push({ hash: sha256(chunk) });
  }
  await manage('install_chunked_code',
    IDL.Record({ mode, target_canister: IDL.Principal, store_canister: IDL.Opt(IDL.Principal), chunk_hashes_list: IDL.Vec(hash), wasm_module_hash: blob, arg: blob }),
    { mode: { install: null }, target_canister: canister, store_canister: [], chunk_hashes_list: hashes, wasm_module_hash: sha256(wasm), arg: nothing }, canister);
}

const wasm = readFileSync(probe);
const canister = await create();
await install(canister, wasm);

const checks = {
  'the root key it fetches is the one that was told': async () => {
    const other = await HttpAgent.create({ host: url, shouldFetchRootKey: true });
    must(same(other.rootKey, Buffer.from(rootKey, 'hex')), 'another key');
  },
  'an update is answered with a certificate': async () => must(number(await update(canister, 'inc')) === 1, 'wrong count'),
  'a query is answered and its signature holds': async () => must(number(await query(canister, 'get')) >= 1, 'wrong count'),
  'a trap is told and rolled back': async () => {
    await refused(update(canister, 'write_and_trap'), /the probe traps/);
    must(number(await query(canister, 'get')) < 999, 'not rolled back');
  },
  'a reject is told': () => refused(update(canister, 'reject'), /the probe says no/),
  'a rejected query is signed too': () => refused(query(canister, 'reject_query'), /the probe says no/),
  'inspect_message refuses at the door': () => refused(update(canister, 'refused'), /rejected the message/),
  'an update that does not exist is refused': () => refused(update(canister, 'nothing'), /no update method/),
  'calls without waiting are polled': async () => {
    const submitted = await agent.call(canister, { methodName: 'caller', arg: nothing, callSync: false });
    must(submitted.response.status === 202, 'not 202');
    const { reply } = await pollForResponse(agent, { canisterId: canister }, submitted.requestId);
    must(same(reply, owner.getPrincipal().toUint8Array()), 'another caller');
  },
  'five updates at once all count': async () => {
    const before = number(await query(canister, 'get'));
    await Promise.all([1, 2, 3, 4, 5].map(() => update(canister, 'inc')));
    must(number(await query(canister, 'get')) === before + 5, 'one was lost');
  },
  'certified data is proven': async () => {
    await update(canister, 'certify', Buffer.from('certified by the probe'));
    const certificate = await Certificate.create({
      certificate: await query(canister, 'certificate'), rootKey: agent.rootKey, principal: { canisterId: canister },
    });
    const found = certificate.lookup_path(['canister', canister.toUint8Array(), 'certified_data']);
    must(found.status === LookupPathStatus.Found && Buffer.from(found.value).toString() === 'certified by the probe', 'not in the certificate');
  },
  'status, controllers and module hash are readable': async () => {
    const status = await CanisterStatus.request({ agent, canisterId: canister, paths: ['time', 'controllers', 'subnet', 'module_hash'] });
    must(status.get('controllers')[0].toText() === owner.getPrincipal().toText(), 'controllers');
    must(status.get('module_hash') === sha256(wasm).toString('hex'), 'module hash');
    must(status.get('subnet').nodeKeys.size === 1, 'node keys');
  },
  'a Motoko canister runs, and its interface is readable': async () => {
    const made = await create();
    const init = IDL.Record({ name: IDL.Text, symbol: IDL.Text, fee_e8s: IDL.Nat, minting_account: IDL.Opt(IDL.Record({ owner: IDL.Principal, subaccount: IDL.Opt(blob) })), faucet_e8s: IDL.Opt(IDL.Nat) });
    const arg = IDL.encode([init], [{ name: 'Judge', symbol: 'J', fee_e8s: 10000n, minting_account: [], faucet_e8s: [100000000n] }]);
    const code = readFileSync(ledger);
    await install(made, code, arg);
    await update(made, 'faucet_claim', IDL.encode([], []));
    const keep = { upgrade: [{ skip_pre_upgrade: [], wasm_memory_persistence: [{ keep: null }] }] };
    await refused(install(made, code, arg, { upgrade: [] }), /wasm_memory_persistence/);
    await install(made, code, arg, keep);
    const account = IDL.Record({ owner: IDL.Principal, subaccount: IDL.Opt(blob) });
    const reply = await query(made, 'icrc1_balance_of', IDL.encode([account], [{ owner: owner.getPrincipal(), subaccount: [] }]));
    must(IDL.decode([IDL.Nat], reply)[0] === 100000000n, 'the balance is lost');
    must((await fetchCandid(made.toText(), agent)).includes('icrc1_transfer'), 'no interface');
  },
  'a module of more than two megabytes goes through chunks': async () => {
    const code = readFileSync(large);
    must(code.length > 2 << 20, 'not large');
    const made = await create();
    await installChunked(made, code);
    must(number(await update(made, 'inc')) === 1, 'does not run');
  },
  'secp256k1 and P-256 keys sign': async () => {
    for (const identity of [Secp256k1KeyIdentity.generate(), await ECDSAKeyIdentity.generate()]) {
      const by = await connect(identity);
      must(same(await update(canister, 'caller', nothing, by), identity.getPrincipal().toUint8Array()), 'another caller');
      must(number(await query(canister, 'get', nothing, by)) >= 1, 'no answer');
    }
  },
  'a delegation acts for its root, on its targets only': async () => {
    const session = Ed25519KeyIdentity.generate();
    const chain = await DelegationChain.create(owner, session.getPublicKey(), new Date(Date.now() + 600_000), { targets: [canister] });
    const delegate = await connect(DelegationIdentity.fromDelegation(session, chain));
    must(same(await update(canister, 'caller', nothing, delegate), owner.getPrincipal().toUint8Array()), 'another caller');
    await refused(update(await create(), 'caller', nothing, delegate), /targets|400/);
  },
  'a delegation of a delegation acts for its root, and its targets stay': async () => {
    const [first, second] = [Ed25519KeyIdentity.generate(), await ECDSAKeyIdentity.generate()];
    const until = new Date(Date.now() + 600_000);
    const outer = await DelegationChain.create(owner, first.getPublicKey(), until, { targets: [canister] });
    const chain = await DelegationChain.create(first, second.getPublicKey(), until, { previous: outer });
    const delegate = await connect(DelegationIdentity.fromDelegation(second, chain));
    must(same(await update(canister, 'caller', nothing, delegate), owner.getPrincipal().toUint8Array()), 'another caller');
    await refused(update(await create(), 'caller', nothing, delegate), /targets|400/);
  },
  'a delegation by another key than the one before it is refused': async () => {
    const [session, thief] = [Ed25519KeyIdentity.generate(), Ed25519KeyIdentity.generate()];
    const until = new Date(Date.now() + 600_000);
    const forged = await DelegationChain.create(thief, session.getPublicKey(), until);
    const chain = DelegationChain.fromDelegations(forged.delegations, owner.getPublicKey().toDer());
    await refused(update(canister, 'caller', nothing, await connect(DelegationIdentity.fromDelegation(session, chain))), /delegation|signature|400/i);
  },
  'a WebAuthn credential signs updates and queries': async () => {
    const identity = await credential();
    const by = await connect(identity);
    must(same(await update(canister, 'caller', nothing, by), identity.getPrincipal().toUint8Array()), 'another caller');
    must(number(await query(canister, 'get', nothing, by)) >= 1, 'no answer');
  },
  'a WebAuthn credential delegates to a session key': async () => {
    const identity = await credential();
    const session = Ed25519KeyIdentity.generate();
    const chain = await DelegationChain.create(identity, session.getPublicKey(), new Date(Date.now() + 600_000));
    const delegate = await connect(DelegationIdentity.fromDelegation(session, chain));
    must(same(await update(canister, 'caller', nothing, delegate), identity.getPrincipal().toUint8Array()), 'another caller');
  },
  'a WebAuthn signature of another challenge is refused': async () => {
    const other = (said) => Buffer.from(said.toString().replace(/"challenge":"./, (found) => found.slice(0, -1) + (found.endsWith('A') ? 'B' : 'A')));
    await refused(update(canister, 'caller', nothing, await connect(await credential(other))), /signature|400/i);
  },
  'an answer to a query that was changed on the way is refused': async () => {
    const changed = await connect(owner, { fetch: between('query', (content) => { content.reply.arg[0] ^= 1; }) });
    await refused(query(canister, 'get', nothing, changed), /signature|verif/i);
    const unsigned = await connect(owner, { fetch: between('query', (content) => { content.signatures[0].signature[5] ^= 1; }) });
    await refused(query(canister, 'get', nothing, unsigned), /signature|verif/i);
  },
  'a certificate that was changed on the way is refused': async () => {
    const flipped = (content) => { content.certificate[content.certificate.length - 9] ^= 1; };
    await refused(update(canister, 'inc', nothing, await connect(owner, { fetch: between('call', flipped) })), /signature|verif|point|certificate/i);
    const changed = await connect(owner, { fetch: between('read_state', flipped) });
    await refused(changed.readState(canister, { paths: [[Buffer.from('time')]] }).then((answer) =>
      Certificate.create({ certificate: answer.certificate, rootKey: agent.rootKey, principal: { canisterId: canister } })), /signature|verif|point/i);
  },
  'the state shows what is public, proves what is absent and keeps the rest': async () => {
    const label = (text) => new TextEncoder().encode(text);
    const own = (...rest) => [label('canister'), canister.toUint8Array(), ...rest.map(label)];
    const paths = [own('module_hash'), own('certified_data'), own('metadata', 'absent')];
    const { certificate } = await agent.readState(canister, { paths });
    const proof = await Certificate.create({ certificate, rootKey: agent.rootKey, principal: { canisterId: canister } });
    must(same(proof.lookup_path(paths[0]).value, sha256(wasm)), 'module hash');
    must(proof.lookup_path(paths[2]).status === LookupPathStatus.Absent, 'absence is not proven');
    must(proof.lookup_path([label('time')]).status === LookupPathStatus.Found, 'no time');
    await refused(agent.readState(canister, { paths: [own('secret')] }), /404|path/i);
    await refused(agent.readState(canister, { paths: [[label('canister'), (await create()).toUint8Array(), label('module_hash')]] }), /effective|400/i);
    const submitted = await agent.call(canister, { methodName: 'inc', arg: nothing, callSync: false });
    const asked = [label('request_status'), submitted.requestId];
    const isKnown = async () => {
      const state = await agent.readState(canister, { paths: [asked] });
      const told = await Certificate.create({ certificate: state.certificate, rootKey: agent.rootKey, principal: { canisterId: canister } });
      return told.lookup_path([...asked, label('status')]).status === LookupPathStatus.Found;
    };
    while (!(await isKnown())) await new Promise((resolve) => setTimeout(resolve, 20)); // taken in, and in the state a block later
    const stranger = await connect(Ed25519KeyIdentity.generate());
    await refused(stranger.readState(canister, { paths: [asked] }), /403|not signed by/i);
  },
  'an expired delegation is refused': async () => {
    const session = Ed25519KeyIdentity.generate();
    const chain = await DelegationChain.create(owner, session.getPublicKey(), new Date(Date.now() - 1000));
    await refused(update(canister, 'caller', nothing, await connect(DelegationIdentity.fromDelegation(session, chain))), /delegation|400/);
  },
  'another root key is not believed': async () => {
    const stranger = await HttpAgent.create({ host: url, identity: owner, retryTimes: 0 });  // the main network's key, built in
    await refused(update(canister, 'inc', nothing, stranger), /signature|verif/i);
  },
};

const results = {};
for (const [name, check] of Object.entries(checks)) {
  try { await check(); results[name] = 'ok'; } catch (error) { results[name] = String(error?.stack ?? error).slice(0, 600); }
}
console.log(JSON.stringify(results));
