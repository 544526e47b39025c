/// A cooperative's words, as its Candid contract has them.
module {
  public type Hash = Blob;
  public type Holder = { owner : Principal; shares : Nat };
  public type Parameters = { price_e8s : Nat; treasury_bps : Nat; voting_period_ns : Nat64; quiet_period_ns : Nat64 };
  public type ChunkInfo = { sha256 : Hash; size_bytes : Nat };
  public type TensorBlob = { name : Text; dtype : Text; shape : [Nat64]; data : Blob };
  public type EqualityVector = { inputs : [TensorBlob]; outputs : [TensorBlob] };
  public type Metric = { name : Text; value_ppm : Int };
  public type ReleaseManifest = {
    job_id : Nat;
    title : Text;
    wasm_sha256 : Hash;
    wasm_chunks : [ChunkInfo];
    weight_chunks : [ChunkInfo];
    onnx_sha256 : Hash;
    transcript_hash : Hash;
    card_hash : Hash;
    metrics : [Metric];
    equality : [EqualityVector];
    tolerance_e9 : Nat;
    estimated_instructions : Nat64;
  };
  public type ProposalKind = {
    #Release : ReleaseManifest;
    #Parameters : Parameters;
    #TreasuryTransfer : { to : Principal; amount_e8s : Nat };
    #Upgrade : { module_hash : Hash };
  };
  public type ProposalState = { #Voting; #Adopted; #Rejected; #Installing; #Live; #Executed; #Superseded; #Failed : Text };
  public type Ballot = { owner : Principal; shares : Nat; vote : ?Bool; at_ns : Nat64 };
  public type Proposal = {
    id : Nat;
    proposer : Principal;
    title : Text;
    summary : Text;
    kind : ProposalKind;
    manifest_hash : ?Hash;
    state : ProposalState;
    yes : Nat;
    no : Nat;
    total : Nat;
    ballots : [Ballot];
    submitted_at_ns : Nat64;
    deadline_ns : Nat64;
    decided_at_ns : ?Nat64;
    critical : Bool;
    block : Nat;
    wasm_staged : [Nat32];
    weights_staged : [Nat32];
  };
  public type ProposalArgs = { title : Text; summary : Text; kind : ProposalKind };
  public type CoopError = {
    #NotAllowed : Text;
    #NotFound : Text;
    #Invalid : Text;
    #NoShares;
    #AlreadyVoted;
    #Closed : Text;
    #UnknownChunk;
    #WrongHash : { expected : Hash; got : Hash };
    #Payment : Text;
    #PriceChanged : { price_e8s : Nat };
    #NotLive;
    #Inference : Text;
    #Refused : Text;
    #Busy;
  };
  public type ProposalResult = { #Ok : Proposal; #Err : CoopError };
  public type Live = {
    proposal_id : Nat;
    manifest_hash : Hash;
    wasm_sha256 : Hash;
    title : Text;
    max_abs_error_e9 : Nat;
    live_at_ns : Nat64;
    block : Nat;
  };
  public type Info = {
    name : Text;
    job_id : Nat;
    jobs : Principal;
    ledger : Principal;
    factory : Principal;
    inference : ?Principal;
    parameters : Parameters;
    holders : [Holder];
    live : ?Live;
    treasury_e8s : Nat;
    revenue_e8s : Nat;
    paid_calls : Nat;
    proposals : Nat;
  };
  public type Part = { owner : Principal; amount_e8s : Nat };
  public type InferReceipt = {
    outputs : [TensorBlob];
    instructions : Nat64;
    price_e8s : Nat;
    parts : [Part];
    manifest_hash : Hash;
    block : Nat;
    ledger_block : Nat;
  };
  public type Account = { owner : Principal; subaccount : ?Blob };
  public type Init = {
    job_id : Nat;
    name : Text;
    jobs : Principal;
    ledger : Principal;
    factory : Principal;
    holders : [Holder];
    parameters : Parameters;
  };
  public let totalShares : Nat = 10_000;

  /// Bounds that no vote can leave.
  public func wrongParameters(p : Parameters) : ?Text {
    if (p.price_e8s > 1_000_000_000_000) return ?"price_e8s: at most 10^12";
    if (p.treasury_bps > 2_000) return ?"treasury_bps: at most 2000";
    if (p.voting_period_ns < 60_000_000_000 or p.voting_period_ns > 2_592_000_000_000_000) return ?"voting_period_ns: 1 minute to 30 days";
    if (p.quiet_period_ns > p.voting_period_ns) return ?"quiet_period_ns: at most the voting period";
    null;
  };
};
