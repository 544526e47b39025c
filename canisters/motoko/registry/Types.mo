/// The registry's words, as its Candid contract has them.
module {
  public type Hash = Blob;
  public type VersionArgs = {
    ciphertext_root : Hash;
    plaintext_commitment : Hash;
    manifest_hash : Hash;
    schema_hash : Hash;
    card_hash : Hash;
    profile_hash : Hash;
    mock_hash : Hash;
    row_count : Nat;
    size_bytes : Nat;
  };
  public type Version = { version : Nat; args : VersionArgs; registered_at_ns : Nat64; block : Nat };
  public type RegisterArgs = { key : Blob; title : Text; version : VersionArgs };
  public type Decision = { #AutoApprove; #Ask; #Deny };
  public type Compute = { #Central; #Federated; #Either };
  public type PolicyTerms = {
    audience : { #Anyone; #Principals : [Principal] };
    purposes : { #Any; #Listed : [Text] };
    code : { #Any; #Listed : [Hash] };
    compute : Compute;
    columns : ?[Text];
    price_e8s : Nat;
    max_uses : ?Nat;
    expires_at_ns : ?Nat64;
    max_epsilon_micros : ?Nat;
    decision : Decision;
    workers : [Principal];
  };
  public type Policy = { version : Nat; terms : PolicyTerms; set_at_ns : Nat64; block : Nat };
  public type DatasetState = { #Active; #Withdrawn };
  public type Dataset = {
    id : Nat;
    owner : Principal;
    title : Text;
    state : DatasetState;
    versions : [Version];
    policy : ?Policy;
    uses : Nat;
    registered_at_ns : Nat64;
    block : Nat;
  };
  public type RegistryError = {
    #NotAllowed : Text;
    #NotOwner : { owner : Principal };
    #NotFound : Text;
    #Invalid : Text;
    #Stale : { current_version : Nat };
    #Withdrawn;
  };
  public type BlockResult = { #Ok : { dataset_id : Nat; version : Nat; block : Nat }; #Err : RegistryError };
  public type UseRequest = {
    dataset_id : Nat;
    version : Nat;
    builder : Principal;
    purpose : Text;
    code_hash : Hash;
    compute : Compute;
    epsilon_micros : ?Nat;
  };
  public type Verdict = {
    dataset_id : Nat;
    owner : Principal;
    policy_version : Nat;
    price_e8s : Nat;
    workers : [Principal];
    decision : Decision;
    reason : Text;
  };
  public type TakeUse = { dataset_id : Nat; version : Nat; policy_version : Nat };
  public type TakeResult = { #Ok; #Err : { dataset_id : Nat; reason : Text } };
};
