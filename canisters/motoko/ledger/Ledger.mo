/// Money: balances, allowances and the log of what moved. Source: ICRC-1, ICRC-2, ICRC-3.
///
/// Plain functions over a state; the actor in `main.mo` supplies caller and time.
import Array "mo:core/Array";
import Blob "mo:core/Blob";
import Map "mo:core/Map";
import Nat64 "mo:core/Nat64";
import Principal "mo:core/Principal";
import Queue "mo:core/Queue";
import Log "../lib/Log";
import Sha256 "../lib/Sha256";
import T "Types";
import V "../lib/Value";

module {
  type Key = Blob; // owner and subaccount of an account
  type Grant = { amount : Nat; expires_at : ?Nat64 };

  public type State = {
    balances : Map.Map<Key, Nat>;
    grants : Map.Map<Blob, Grant>; // owner's key and spender's key
    recent : Map.Map<Blob, Nat>; // hash of a transaction with its creation time -> block
    recentOrder : Queue.Queue<(Nat, Blob)>;
    claimed : Map.Map<Principal, Nat>; // faucet
    log : Log.Log;
    var supply : Nat;
  };

  public func empty() : State = {
    balances = Map.empty<Key, Nat>();
    grants = Map.empty<Blob, Grant>();
    recent = Map.empty<Blob, Nat>();
    recentOrder = Queue.empty<(Nat, Blob)>();
    claimed = Map.empty<Principal, Nat>();
    log = Log.empty();
    var supply = 0;
  };

  let window : Nat = 86_400_000_000_000; // transactions are remembered for a day
  let drift : Nat = 120_000_000_000;
  let maxMemo = 64;
  let maxAmount : Nat = 115_792_089_237_316_195_423_570_985_008_687_907_853_269_984_665_640_564_039_457_584_007_913_129_639_935; // no balance is larger; an allowance that large is as good as unlimited
  let zeros : Blob = "\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00";

  /// The default subaccount and 32 zeros are the same account.
  public func key(account : T.Account) : Key {
    V.owned(account.owner, switch (account.subaccount) { case (?s) s; case null zeros });
  };

  public func wrongAccount(account : T.Account) : Bool = switch (account.subaccount) { case (?s) s.size() != 32; case null false };

  public func balance(state : State, account : T.Account) : Nat = held(state, key(account));

  func held(state : State, k : Key) : Nat = switch (Map.get(state.balances, Blob.compare, k)) { case (?b) b; case null 0 };

  func put(state : State, k : Key, amount : Nat) {
    if (amount == 0) { Map.remove(state.balances, Blob.compare, k) } else { Map.add(state.balances, Blob.compare, k, amount) };
  };

  // --- what every transaction is checked for ---

  type Checks = { amount : Nat; fee : ?Nat; expectedFee : Nat; memo : ?Blob; created : ?Nat64; accounts : [T.Account]; identity : Blob };

  func wrong(state : State, now : Nat, checks : Checks) : ?T.Common {
    if (Array.any<T.Account>(checks.accounts, wrongAccount)) return ?#GenericError({ error_code = 1; message = "a subaccount has 32 bytes" });
    if (checks.amount > maxAmount) return ?#GenericError({ error_code = 5; message = "an amount is less than 2^256" });
    switch (checks.fee) { case (?f) if (f != checks.expectedFee) return ?#BadFee({ expected_fee = checks.expectedFee }); case null {} };
    switch (checks.memo) { case (?m) if (m.size() > maxMemo) return ?#GenericError({ error_code = 2; message = "a memo has at most 64 bytes" }); case null {} };
    switch (checks.created) {
      case (?at) {
        let t = Nat64.toNat(at);
        if (t + window + drift < now) return ?#TooOld;
        if (t > now + drift) return ?#CreatedInFuture({ ledger_time = Nat64.fromNat(now) });
        forget(state, now);
        switch (Map.get(state.recent, Blob.compare, checks.identity)) {
          case (?block) return ?#Duplicate({ duplicate_of = block });
          case null {};
        };
      };
      case null {};
    };
    null;
  };

  func forget(state : State, now : Nat) {
    label old loop {
      switch (Queue.peekFront(state.recentOrder)) {
        case (?(at, identity)) if (at + window + drift < now) {
          ignore Queue.popFront(state.recentOrder);
          Map.remove(state.recent, Blob.compare, identity);
        } else { break old };
        case null { break old };
      };
    };
  };

  func remember(state : State, created : ?Nat64, identity : Blob, block : Nat) {
    switch created {
      case (?at) {
        Map.add(state.recent, Blob.compare, identity, block);
        Queue.pushBack(state.recentOrder, (Nat64.toNat(at), identity));
      };
      case null {};
    };
  };

  func accountValue(account : T.Account) : V.Value {
    let owner = V.principal(account.owner);
    switch (account.subaccount) {
      case (?s) if (s != zeros) #Array([owner, #Blob s]) else #Array([owner]);
      case null #Array([owner]);
    };
  };

  func append(state : State, now : Nat, btype : Text, fee : ?Nat, tx : [(Text, ?V.Value)]) : Nat {
    Log.appendBlock(
      state.log,
      V.present([("btype", ?#Text btype), ("ts", ?#Nat now), ("fee", V.opt<Nat>(fee, func f = #Nat f)), ("tx", ?V.record(tx))]),
    );
  };

  // --- transfers ---

  public func transfer(state : State, init : T.Init, caller : Principal, now : Nat, args : T.TransferArgs) : T.TransferResult {
    let from = { owner = caller; subaccount = args.from_subaccount };
    let tx = [
      ("amt", ?#Nat(args.amount)),
      ("from", ?accountValue(from)),
      ("to", ?accountValue(args.to)),
      ("fee", V.opt<Nat>(args.fee, func f = #Nat f)),
      ("memo", V.opt<Blob>(args.memo, func m = #Blob m)),
      ("ts", V.opt<Nat64>(args.created_at_time, V.nat64)),
    ];
    let mint = isMinting(init, from);
    let burn = isMinting(init, args.to);
    let fee = if (mint or burn) 0 else init.fee_e8s;
    let identity = V.hash(V.record(tx));
    switch (wrong(state, now, { amount = args.amount; fee = args.fee; expectedFee = fee; memo = args.memo; created = args.created_at_time; accounts = [from, args.to]; identity })) {
      case (?error) return #Err error;
      case null {};
    };
    if (mint and burn) return #Err(#GenericError({ error_code = 6; message = "the minting account cannot pay itself" }));
    if (burn and args.amount < init.fee_e8s) return #Err(#BadBurn({ min_burn_amount = init.fee_e8s }));
    if (not mint) {
      let funds = balance(state, from);
      if (funds < args.amount + fee) return #Err(#InsufficientFunds({ balance = funds }));
    };
    move(state, if mint null else ?key(from), if burn null else ?key(args.to), args.amount, fee);
    let kept = if mint Array.filter<(Text, ?V.Value)>(tx, func f = f.0 != "from") else if burn Array.filter<(Text, ?V.Value)>(tx, func f = f.0 != "to") else tx;
    let block = append(state, now, if mint "1mint" else if burn "1burn" else "1xfer", if (args.fee == null and not mint and not burn) ?fee else null, kept);
    remember(state, args.created_at_time, identity, block);
    #Ok block;
  };

  func isMinting(init : T.Init, account : T.Account) : Bool = switch (init.minting_account) { case (?m) key(m) == key(account); case null false };

  /// Take from one, give to another; null: created or destroyed. The fee is destroyed. Funds were checked.
  func move(state : State, from : ?Key, to : ?Key, amount : Nat, fee : Nat) {
    switch from {
      case (?k) { put(state, k, held(state, k) - (amount + fee) : Nat); state.supply -= fee };
      case null { state.supply += amount };
    };
    switch to {
      case (?k) put(state, k, held(state, k) + amount);
      case null { state.supply -= amount };
    };
  };

  /// Test networks: each principal may create an amount for itself, once.
  public func claimFaucet(state : State, init : T.Init, caller : Principal, now : Nat) : { #Ok : Nat; #Err : Text } {
    let ?amount = init.faucet_e8s else return #Err("this network has no faucet: get tokens from somebody who holds some");
    switch (Map.get(state.claimed, Principal.compare, caller)) {
      case (?block) return #Err("you have claimed already, in block " # debug_show block);
      case null {};
    };
    let to = { owner = caller; subaccount = null };
    move(state, null, ?key(to), amount, 0);
    let block = append(state, now, "1mint", null, [("amt", ?#Nat amount), ("to", ?accountValue(to)), ("memo", ?#Blob "faucet")]);
    Map.add(state.claimed, Principal.compare, caller, block);
    #Ok block;
  };

  // --- allowances ---

  func grantKey(owner : T.Account, spender : T.Account) : Blob = Sha256.blobs([key(owner), key(spender)]);

  public func allowance(state : State, now : Nat, owner : T.Account, spender : T.Account) : T.Allowance {
    switch (Map.get(state.grants, Blob.compare, grantKey(owner, spender))) {
      case (?grant) {
        let over = switch (grant.expires_at) { case (?at) Nat64.toNat(at) <= now; case null false };
        if over { { allowance = 0; expires_at = null } } else { { allowance = grant.amount; expires_at = grant.expires_at } };
      };
      case null { { allowance = 0; expires_at = null } };
    };
  };

  public func approve(state : State, init : T.Init, caller : Principal, now : Nat, args : T.ApproveArgs) : T.ApproveResult {
    let from = { owner = caller; subaccount = args.from_subaccount };
    if (args.spender.owner == caller) return #Err(#GenericError({ error_code = 3; message = "one cannot approve oneself" }));
    let tx = [
      ("amt", ?#Nat(args.amount)),
      ("from", ?accountValue(from)),
      ("spender", ?accountValue(args.spender)),
      ("expected_allowance", V.opt<Nat>(args.expected_allowance, func n = #Nat n)),
      ("expires_at", V.opt<Nat64>(args.expires_at, V.nat64)),
      ("fee", V.opt<Nat>(args.fee, func f = #Nat f)),
      ("memo", V.opt<Blob>(args.memo, func m = #Blob m)),
      ("ts", V.opt<Nat64>(args.created_at_time, V.nat64)),
    ];
    let identity = V.hash(V.record(tx));
    switch (wrong(state, now, { amount = args.amount; fee = args.fee; expectedFee = init.fee_e8s; memo = args.memo; created = args.created_at_time; accounts = [from, args.spender]; identity })) {
      case (?error) return #Err error;
      case null {};
    };
    switch (args.expires_at) {
      case (?at) if (Nat64.toNat(at) <= now) return #Err(#Expired({ ledger_time = Nat64.fromNat(now) }));
      case null {};
    };
    let current = allowance(state, now, from, args.spender).allowance;
    switch (args.expected_allowance) {
      case (?expected) if (expected != current) return #Err(#AllowanceChanged({ current_allowance = current }));
      case null {};
    };
    let funds = balance(state, from);
    if (funds < init.fee_e8s) return #Err(#InsufficientFunds({ balance = funds }));
    put(state, key(from), funds - init.fee_e8s : Nat);
    state.supply -= init.fee_e8s;
    let k = grantKey(from, args.spender);
    if (args.amount == 0) { Map.remove(state.grants, Blob.compare, k) } else {
      Map.add(state.grants, Blob.compare, k, { amount = args.amount; expires_at = args.expires_at });
    };
    let block = append(state, now, "2approve", if (args.fee == null) ?init.fee_e8s else null, tx);
    remember(state, args.created_at_time, identity, block);
    #Ok block;
  };

  public func transferFrom(state : State, init : T.Init, caller : Principal, now : Nat, args : T.TransferFromArgs) : T.TransferFromResult {
    let spender = { owner = caller; subaccount = args.spender_subaccount };
    let tx = [
      ("amt", ?#Nat(args.amount)),
      ("from", ?accountValue(args.from)),
      ("to", ?accountValue(args.to)),
      ("spender", ?accountValue(spender)),
      ("fee", V.opt<Nat>(args.fee, func f = #Nat f)),
      ("memo", V.opt<Blob>(args.memo, func m = #Blob m)),
      ("ts", V.opt<Nat64>(args.created_at_time, V.nat64)),
    ];
    let identity = V.hash(V.record(tx));
    let fee = init.fee_e8s;
    switch (wrong(state, now, { amount = args.amount; fee = args.fee; expectedFee = fee; memo = args.memo; created = args.created_at_time; accounts = [args.from, args.to, spender]; identity })) {
      case (?error) return #Err error;
      case null {};
    };
    if (isMinting(init, args.to) or isMinting(init, args.from)) {
      return #Err(#GenericError({ error_code = 4; message = "minting and burning are not for allowances" }));
    };
    let own = key(spender) == key(args.from);
    let granted = allowance(state, now, args.from, spender);
    if (not own and granted.allowance < args.amount + fee) return #Err(#InsufficientAllowance({ allowance = granted.allowance }));
    let funds = balance(state, args.from);
    if (funds < args.amount + fee) return #Err(#InsufficientFunds({ balance = funds }));
    move(state, ?key(args.from), ?key(args.to), args.amount, fee);
    if (not own) {
      let rest : Nat = granted.allowance - (args.amount + fee);
      let k = grantKey(args.from, spender);
      if (rest == 0) { Map.remove(state.grants, Blob.compare, k) } else {
        Map.add(state.grants, Blob.compare, k, { amount = rest; expires_at = granted.expires_at });
      };
    };
    let block = append(state, now, "2xfer", if (args.fee == null) ?fee else null, tx);
    remember(state, args.created_at_time, identity, block);
    #Ok block;
  };
};
