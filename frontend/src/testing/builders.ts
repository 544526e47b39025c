// Objects as the API answers them, for tests: each whole and plausible, changed where a test says so.
import type { Approval, Dataset, Job, JobRequest, Model, Policy, Proposal } from '@/lib/api/types';

export const ANNA = 'uawwk-3rceh-6igbe-c6jlk-6qj5u-efnzu-zjpdm-hnft6-sbva7-otrf7-zae';
export const BEN = 'z54pb-o6rua-x7ieu-txgbo-qnfex-cow57-l5obb-pwi5k-vos4b-vw3gx-wae';
export const WORKER = 'ozvbb-ndgh6-mnpyg-cjvtk-w3br3-4dpjj-qnier-yth2w-hmlkv-nafz5-rqe';
const proof = { canister: 'rrkah-fqaaa-aaaaa-aaaaq-cai', block: 3 };
const hash = 'ab'.repeat(32);

export const policy = (change: Partial<Policy> = {}): Policy =>
  ({
    version: 1, audience: 'Anyone', purposes: 'Any', code: 'Any', compute: 'Central', columns: null, price_e8s: '200000000', max_uses: null, expires_at_ns: null,
    max_epsilon_micros: null, decision: 'Ask', workers: [WORKER], set_at_ns: '1700000000000000000', sentence: 'Anyone may ask; the owner decides.', proof, ...change,
  }) as Policy;

export const dataset = (change: Partial<Dataset> = {}): Dataset =>
  ({
    id: 7, owner: ANNA, title: 'Reeds by the lake', state: 'active', version: 1, row_count: 120, size_bytes: 2048, columns: 2, task: 'classification', policy: policy(), uses: 1,
    registered_at_ns: '1700000000000000000', proof,
    versions: [
      {
        version: 1, ciphertext_root: hash, plaintext_commitment: hash, manifest_hash: hash, schema_hash: hash, card_hash: hash, profile_hash: hash, mock_hash: hash, row_count: 120,
        size_bytes: 2048, registered_at_ns: '1700000000000000000', stored_bytes: 2048, complete: true, proof,
      },
    ],
    card: { title: 'Reeds by the lake', description: 'Measured by hand.', task: 'classification', target: 'kind' },
    schema: { columns: [{ name: 'height', type: 'number' }, { name: 'kind', type: 'category' }] },
    profile: {
      rows: 120,
      columns: [
        { name: 'height', type: 'number', count: 118, missing: 2, min: 1, max: 4, mean: 2.5, std: 0.5, histogram: [[1, 2.5, 60], [2.5, 4, 58]], top: null },
        { name: 'kind', type: 'category', count: 120, missing: 0, min: null, max: null, mean: null, std: null, histogram: null, top: [['reed', 60], ['shrub', 60]] },
      ],
    },
    mock: { columns: ['height', 'kind'], rows: [[2.2, 'reed'], [null, 'shrub']] },
    history: [{ btype: 'dataset_registered', title: 'Dataset 7 registered', at_ns: '1700000000000000000', proof }],
    policies: [policy()],
    ...change,
  }) as Dataset;

export const approval = (change: Partial<Approval> = {}): Approval =>
  ({
    dataset_id: 7, dataset_title: 'Reeds by the lake', version: 1, owner: ANNA, policy_version: 1, price_e8s: '200000000', state: 'pending', by: null, reason: null, workers: [],
    at_ns: '1700000000000000000', proof, ...change,
  }) as Approval;

export const job = (change: Partial<Job> = {}): Job =>
  ({
    id: 4, title: 'Reeds or shrubs', purpose: 'research', recipe: 'tabular_mlp', builder: BEN, state: 'proposed', reason: '', datasets: [{ dataset_id: 7, version: 1 }],
    budget_e8s: '1000000000', worker: null, proposed_at_ns: '1700000000000000000', updated_at_ns: '1700000000000000000', metrics: [], model: null, proof, code_hash: hash, config_hash: hash,
    config: { epochs: 20 }, seed: '7', compute: 'central', terms: { contributors_bps: 7000, builder_bps: 2000, worker_bps: 1000, valuation: 'shapley' }, worker_fee_e8s: '300000000',
    escrow_e8s: '0', approve_by_ns: '4000000000000000000', finish_by_ns: '4100000000000000000', approvals: [approval()],
    timeline: [{ btype: 'job_proposed', title: 'Proposed', at_ns: '1700000000000000000', by: BEN, proof }], result: null, shares: [], payouts: [], ...change,
  }) as Job;

export const request = (change: Partial<JobRequest> = {}): JobRequest => ({ ...job(), waiting: [approval()], ...change });

export const settledJob = (change: Partial<Job> = {}): Job =>
  job({
    state: 'settled',
    approvals: [approval({ state: 'approved', by: 'policy' })],
    result: {
      metrics: [{ name: 'accuracy', value_ppm: 957_983 }],
      utility: 'accuracy',
      transcript_hash: hash,
      manifest_hash: hash,
      artifacts: [{ name: 'model.onnx', sha256: hash, size_bytes: 4096 }, { name: 'release', sha256: hash, size_bytes: 2048 }],
      attribution: [
        { dataset_id: 7, dataset_title: 'Reeds by the lake', owner: ANNA, value_ppm: 140_056, low_ppm: 130_000, high_ppm: 154_000, share_bps: 6731 },
        { dataset_id: 8, dataset_title: 'Shrubs on the hill', owner: BEN, value_ppm: -3_000, low_ppm: -9_804, high_ppm: 4_200, share_bps: 269 },
      ],
    },
    shares: [
      { owner: ANNA, role: 'contributor', dataset_id: 7, share_bps: 7000 },
      { owner: BEN, role: 'builder', dataset_id: null, share_bps: 3000 },
    ],
    ...change,
  });

export const proposal = (change: Partial<Proposal> = {}): Proposal =>
  ({
    id: 1, model: 'br5f7-7uaaa-aaaaa-qaaca-cai', title: 'First release', kind: 'release', proposer: ANNA, state: 'voting', yes: 3000, no: 1000, total: 10_000,
    deadline_ns: '4000000000000000000', submitted_at_ns: '1700000000000000000', decided_at_ns: null, critical: false, proof, summary: 'It is better.',
    payload: { metrics: [{ name: 'accuracy', value_ppm: 960_000 }], wasm_chunks: [], weight_chunks: [], wasm_sha256: hash, estimated_instructions: '123' }, manifest_hash: hash,
    ballots: [{ owner: ANNA, shares: 3000, vote: 'yes', at_ns: '1700000000000000000' }, { owner: BEN, shares: 1000, vote: null, at_ns: null }],
    log: [], live_metrics: [{ name: 'accuracy', value_ppm: 950_000 }], ...change,
  }) as Proposal;

export const model = (change: Partial<Model> = {}): Model =>
  ({
    canister: 'br5f7-7uaaa-aaaaa-qaaca-cai', name: 'Reeds or shrubs', job_id: 4, inference: 'bw4dl-smaaa-aaaaa-qaacq-cai', creator: ANNA, state: 'no_release', live: null,
    price_e8s: '10000000', paid_calls: 0, revenue_e8s: '0', created_at_ns: '1700000000000000000', proof,
    parameters: { price_e8s: '10000000', treasury_bps: 500, voting_period_ns: '3600000000000', quiet_period_ns: '300000000000' },
    holders: [{ owner: ANNA, shares: 7000 }, { owner: BEN, shares: 3000 }], treasury_e8s: '0', releases: [], interface: null, card: null, attribution: [], calls: [], ...change,
  }) as Model;
