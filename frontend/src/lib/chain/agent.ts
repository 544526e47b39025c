// Calls to canisters, signed and verified in the page. Loaded at the first need of the chain, never with the landing page.
//
// The proxy at our own origin is not trusted: certificates and query signatures are checked against the network's root key.
import { Cbor, HttpAgent, RejectError, type SignIdentity } from '@icp-sdk/core/agent';
import { IDL } from '@icp-sdk/core/candid';
import { Principal } from '@icp-sdk/core/principal';
import { fromHex, type Bytes } from '@/lib/bytes';
import type { Contract } from '@/lib/contracts/common';
import { ChainRefused } from '@/lib/contracts/errors';

export { Principal };

/** Where a call stands: signed by the person's key, accepted by the network, certified by it. */
export type Stage = 'signed' | 'accepted' | 'certified';

/** The network could not be reached, or its answer cannot be believed. */
export class ChainUnavailable extends Error {
  override readonly name = 'ChainUnavailable';
}

export interface Target {
  canister: string;
  contract: Contract;
  method: string;
  args: unknown[];
}

export interface Certified<T> {
  value: T;
  /** The answer with the certificate that proves it, in the form `canisters.client` verifies offline. */
  receipt: Bytes;
}

type FetchLike = typeof fetch;

function agent(rootKey: string, identity: SignIdentity | undefined, onFetch?: (url: string, answered: boolean) => void): HttpAgent {
  const watched: FetchLike = async (input, init) => {
    const url = String(input instanceof Request ? input.url : input);
    onFetch?.(url, false);
    const response = await fetch(input, init);
    if (response.ok) onFetch?.(url, true);
    return response;
  };
  return HttpAgent.createSync({
    host: location.origin,
    rootKey: fromHex(rootKey),
    verifyQuerySignatures: true,
    retryTimes: 1,
    fetch: watched,
    ...(identity ? { identity } : {}),
  });
}

/** Signs an update and waits for its certificate. `onStage` hears of each state once. Throws ChainRefused for a canister's `Err`. */
export async function callUpdate<T>(rootKey: string, identity: SignIdentity, target: Target, onStage: (stage: Stage) => void = () => undefined): Promise<Certified<T>> {
  const func = method(target);
  const reached = new Set<Stage>();
  const reach = (stage: Stage): void => {
    if (!reached.has(stage)) onStage(stage);
    reached.add(stage);
  };
  const one = agent(rootKey, identity, (url, answered) => {
    if (/\/api\/v\d+\/canister\/[^/]+\/call/.test(url)) reach(answered ? 'accepted' : 'signed');
  });
  try {
    const result = await one.update(target.canister, { methodName: target.method, arg: IDL.encode(func.argTypes, target.args), effectiveCanisterId: target.canister });
    reach('certified');
    const receipt = Cbor.encode({ certificate: result.rawCertificate, content: receiptContent(result.requestDetails), reply: result.reply });
    return { value: unwrapped<T>(IDL.decode(func.retTypes, result.reply)[0]), receipt };
  } catch (error) {
    throw translated(error, target.method);
  }
}

/** Asks a query; the answer is signed by a node of the network, and checked. */
export async function callQuery<T>(rootKey: string, target: Target, identity?: SignIdentity): Promise<T> {
  const func = method(target);
  try {
    const answer = await queryAgent(rootKey, identity).query(target.canister, { methodName: target.method, arg: IDL.encode(func.argTypes, target.args) });
    if (answer.status !== 'replied') throw new ChainUnavailable(`The canister refused the question: ${answer.reject_message}`);
    return IDL.decode(func.retTypes, answer.reply.arg)[0] as T;
  } catch (error) {
    throw translated(error, target.method);
  }
}

// One agent for anonymous queries, so that the nodes' keys are fetched once.
let shared: { rootKey: string; agent: HttpAgent } | null = null;
function queryAgent(rootKey: string, identity?: SignIdentity): HttpAgent {
  if (identity) return agent(rootKey, identity);
  if (shared?.rootKey !== rootKey) shared = { rootKey, agent: agent(rootKey, undefined) };
  return shared.agent;
}

function method(target: Target): IDL.FuncClass {
  const func = target.contract[target.method];
  if (!func) throw new TypeError(`the contract has no method ${target.method}`);
  return func;
}

/** `{Ok: x}` -> x, `{Err: e}` throws, an empty list is null, anything else is itself. */
function unwrapped<T>(value: unknown): T {
  if (value !== null && typeof value === 'object') {
    if ('Ok' in value) return (value as { Ok: T }).Ok;
    if ('Err' in value) {
      const { Err } = value as { Err: unknown };
      if (typeof Err === 'string') throw new ChainRefused('Refused', Err);
      const [tag, payload] = Object.entries(Err as object)[0] ?? ['Refused', null];
      throw new ChainRefused(tag, payload);
    }
  }
  return value as T;
}

/** The request's fields as they were hashed. */
function receiptContent(details: unknown): Record<string, unknown> {
  return Object.fromEntries(Object.entries((details ?? {}) as Record<string, unknown>).filter(([, value]) => value !== undefined));
}

function translated(error: unknown, name: string): Error {
  if (error instanceof ChainRefused || error instanceof ChainUnavailable) return error;
  if (error instanceof RejectError) return new ChainUnavailable(`The network did not carry out ${name}: ${rejectText(error)}`);
  const text = error instanceof Error ? error.message : String(error);
  if (/fetch|network|timeout|timed out/i.test(text) && !/certificate|signature/i.test(text)) {
    return new ChainUnavailable('The chain does not answer. It is not certain whether the call arrived: look at the page again before you repeat it.');
  }
  if (/certificate|signature|trust/i.test(text)) {
    return new ChainUnavailable(`The answer does not hold against the network's root key, so it is not believed: ${firstLine(text)}`);
  }
  return new ChainUnavailable(`The call of ${name} failed: ${firstLine(text)}`);
}

const firstLine = (text: string): string => text.split('\n')[0]?.slice(0, 300) ?? '';

function rejectText(error: RejectError): string {
  const code = error.code as { rejectMessage?: string; callContext?: unknown };
  return firstLine(code.rejectMessage ?? error.message);
}
