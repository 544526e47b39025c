// The official ledger clients, unmodified and with every verification on, as judges of our ledger and of the network's stand-in for ICP's.
// Input: one JSON argument { url, rootKey, ledger } (the ledger's canister id). Output: one line of JSON, { check: "ok" or what went wrong }.
import { AccountIdentifier, BadFeeError, IcpLedgerCanister, InsufficientFundsError } from '@icp-sdk/canisters/ledger/icp';
import { IcrcLedgerCanister } from '@icp-sdk/canisters/ledger/icrc';
import { AnonymousIdentity, HttpAgent } from '@icp-sdk/core/agent';
import { Ed25519KeyIdentity } from '@icp-sdk/core/identity';
import { IDL } from '@icp-sdk/core/candid';
import { Principal } from '@icp-sdk/core/principal';

const { url, rootKey, ledger } = JSON.parse(process.argv[2]);
const CANISTER = Principal.fromText(ledger);
const ICP = Principal.fromText('ryjl3-tyaaa-aaaaa-aaaba-cai');
const FEE_E8S = 10_000n, FAUCET_E8S = 100_000_000n;
const must = (condition, what) => { if (!condition) throw new Error(what); };
const equal = (found, wanted, what) => must(found === wanted, `${what}: ${found}, not ${wanted}`);
/// `kind`: a class of error, or the name of the variant that an ICRC ledger answers with.
async function refused(promise, kind) {
  try { await promise; } catch (error) {
    const fits = typeof kind === 'string' ? kind in (error.errorType ?? {}) : error instanceof kind;
    return must(fits, `refused with other words: ${error.stack}`);
  }
  throw new Error('was not refused');
}

class Person {
  static async meet(identity = Ed25519KeyIdentity.generate()) {
    const person = new Person();
    person.agent = await HttpAgent.create({ host: url, rootKey: Uint8Array.from(Buffer.from(rootKey, 'hex')), identity, verifyQuerySignatures: true, retryTimes: 0 });
    person.account = { owner: identity.getPrincipal(), subaccount: [] };
    person.ledger = IcrcLedgerCanister.create({ agent: person.agent, canisterId: CANISTER });
    person.icp = IcpLedgerCanister.create({ agent: person.agent, canisterId: ICP });
    person.icpAccount = AccountIdentifier.fromPrincipal({ principal: identity.getPrincipal() });
    return person;
  }
  async claim() { await this.agent.update(CANISTER, { methodName: 'faucet_claim', arg: IDL.encode([], []) }); return this; }
  balance(certified = true) { return this.ledger.balance({ owner: this.account.owner, certified }); }
  icpBalance() { return this.icp.accountBalance({ accountIdentifier: this.icpAccount, certified: true }); }
}
const rich = async () => (await Person.meet()).claim();

const checks = {
  'ICRC-1: name, symbol, decimals, fee and standards are told': async () => {
    const { ledger: asked } = await Person.meet();
    const told = new Map(await asked.metadata({ certified: true }));
    equal(told.get('icrc1:symbol').Text, 'J', 'symbol');
    equal(told.get('icrc1:decimals').Nat, 8n, 'decimals');
    equal(await asked.transactionFee({ certified: false }), FEE_E8S, 'fee');
    const names = (await asked.icrc1SupportedStandards({})).map(({ name }) => name);
    must(['ICRC-1', 'ICRC-2', 'ICRC-3'].every((name) => names.includes(name)), names.join());
    equal((await asked.icrc10SupportedStandards({})).length, names.length, 'standards by ICRC-10');
  },
  'ICRC-1: a transfer moves the amount and burns the fee': async () => {
    const [payer, payee] = [await rich(), await Person.meet()];
    const supply = await payer.ledger.totalTokensSupply({ certified: true });
    await payer.ledger.transfer({ to: payee.account, amount: 5_000_000n, fee: FEE_E8S, memo: Uint8Array.of(1, 2), created_at_time: BigInt(Date.now()) * 1_000_000n });
    equal(await payee.balance(), 5_000_000n, 'received');
    equal(await payer.balance(false), FAUCET_E8S - 5_000_000n - FEE_E8S, 'left');
    equal(await payer.ledger.totalTokensSupply({ certified: true }), supply - FEE_E8S, 'supply');
  },
  'ICRC-1: what cannot be paid, or at another fee, is refused by its name': async () => {
    const [payer, payee] = [await rich(), await Person.meet()];
    await refused(payee.ledger.transfer({ to: payer.account, amount: 1n }), 'InsufficientFunds');
    await refused(payer.ledger.transfer({ to: payee.account, amount: 1n, fee: 1n }), 'BadFee');
    equal(await payer.balance(), FAUCET_E8S, 'left');
  },
  'ICRC-1: the same transfer counts once': async () => {
    const [payer, payee] = [await rich(), await Person.meet()];
    const once = { to: payee.account, amount: 7n, created_at_time: BigInt(Date.now()) * 1_000_000n };
    await payer.ledger.transfer(once);
    await refused(payer.ledger.transfer(once), 'Duplicate');
    equal(await payee.balance(), 7n, 'received');
  },
  'ICRC-2: a spender spends what was approved, and no more': async () => {
    const [owner, spender, shop] = [await rich(), await Person.meet(), await Person.meet()];
    const pay = (amount) => spender.ledger.transferFrom({ from: owner.account, to: shop.account, amount });
    await refused(pay(1n), 'InsufficientAllowance');
    await owner.ledger.approve({ spender: spender.account, amount: 1_000_000n, expected_allowance: 0n });
    await pay(600_000n);
    equal(await shop.balance(), 600_000n, 'received');
    const { allowance } = await spender.ledger.allowance({ account: owner.account, spender: spender.account, certified: true });
    equal(allowance, 1_000_000n - 600_000n - FEE_E8S, 'allowance');
    await refused(pay(600_000n), 'InsufficientAllowance');
    await refused(owner.ledger.approve({ spender: spender.account, amount: 1n, expected_allowance: 0n }), 'AllowanceChanged');
  },
  'ICRC-3: the blocks of what happened can be read': async () => {
    const [payer, payee] = [await rich(), await Person.meet()];
    const index = await payer.ledger.transfer({ to: payee.account, amount: 42n });
    const read = await payer.ledger.getBlocks({ args: [{ start: index - 1n, length: 2n }], certified: true });
    must(read.log_length > index, 'the log is shorter than the block is high');
    equal(read.blocks.map(({ id }) => id).join(), `${index - 1n},${index}`, 'ids');
    const block = new Map(read.blocks[1].block.Map);
    equal(block.get('btype').Text, '1xfer', 'kind');
    equal(new Map(block.get('tx').Map).get('amt').Nat, 42n, 'amount');
    equal(block.get('phash').Blob.length, 32, 'bytes of the hash of the block before');
  },
  'ICP: the treasury pays an account, which pays on': async () => {
    const [treasury, payer, payee] = [await Person.meet(new AnonymousIdentity()), await Person.meet(), await Person.meet()];
    equal(await payer.icp.transactionFee({ certified: true }), FEE_E8S, 'fee');
    await treasury.icp.transfer({ to: payer.icpAccount, amount: 3_000_000n, memo: 7n });
    const height = await payer.icp.icrc1Transfer({ to: payee.account, amount: 1_000_000n });
    must(height > 0n, 'no block');
    equal(await payer.icpBalance(), 2_000_000n - FEE_E8S, 'left');
    equal(await payee.icpBalance(), 1_000_000n, 'received');
    await refused(payee.icp.transfer({ to: payer.icpAccount, amount: 1_000_000n }), InsufficientFundsError);
    await refused(payee.icp.transfer({ to: payer.icpAccount, amount: 1n, fee: 3n }), BadFeeError);
  },
  'ICP: the ledger tells its name, symbol, decimals and fee': async () => {
    const { icp } = await Person.meet();
    const told = new Map(await icp.metadata({ certified: true }));
    equal(told.get('icrc1:symbol').Text, 'ICP', 'symbol');
    equal(told.get('icrc1:decimals').Nat, 8n, 'decimals');
    equal(told.get('icrc1:fee').Nat, FEE_E8S, 'fee');
  },
};

const results = {};
for (const [name, check] of Object.entries(checks)) {
  try { await check(); results[name] = 'ok'; } catch (error) { results[name] = String(error?.stack ?? error).slice(0, 600); }
}
console.log(JSON.stringify(results));
