// A canister that asks the network for keys and signatures and hands on what it says: for the tests of threshold keys.
import Principal "mo:core/Principal";

persistent actor Keys {
  type EcdsaKey = { curve : { #secp256k1 }; name : Text };
  type SchnorrKey = { algorithm : { #bip340secp256k1; #ed25519 }; name : Text };
  type VetKey = { curve : { #bls12_381_g2 }; name : Text };
  type Public = { public_key : Blob; chain_code : Blob };
  type Aux = { #bip341 : { merkle_root_hash : Blob } };

  transient let network = actor "aaaaa-aa" : actor {
    ecdsa_public_key : { canister_id : ?Principal; derivation_path : [Blob]; key_id : EcdsaKey } -> async Public;
    sign_with_ecdsa : { message_hash : Blob; derivation_path : [Blob]; key_id : EcdsaKey } -> async { signature : Blob };
    schnorr_public_key : { canister_id : ?Principal; derivation_path : [Blob]; key_id : SchnorrKey } -> async Public;
    sign_with_schnorr : { message : Blob; derivation_path : [Blob]; key_id : SchnorrKey; aux : ?Aux } -> async { signature : Blob };
    vetkd_public_key : { canister_id : ?Principal; context : Blob; key_id : VetKey } -> async { public_key : Blob };
    vetkd_derive_key : { input : Blob; context : Blob; transport_public_key : Blob; key_id : VetKey } -> async { encrypted_key : Blob };
  };

  public func ecdsa_public(name : Text, path : [Blob], of : ?Principal) : async Public {
    await network.ecdsa_public_key({ canister_id = of; derivation_path = path; key_id = { curve = #secp256k1; name } });
  };
  public func ecdsa_sign(name : Text, path : [Blob], message_hash : Blob, cycles : Nat) : async Blob {
    (await (with cycles) network.sign_with_ecdsa({ message_hash; derivation_path = path; key_id = { curve = #secp256k1; name } })).signature;
  };
  public func schnorr_public(key_id : SchnorrKey, path : [Blob]) : async Public {
    await network.schnorr_public_key({ canister_id = null; derivation_path = path; key_id });
  };
  public func schnorr_sign(key_id : SchnorrKey, path : [Blob], message : Blob, aux : ?Aux, cycles : Nat) : async Blob {
    (await (with cycles) network.sign_with_schnorr({ message; derivation_path = path; key_id; aux })).signature;
  };
  public func vetkd_public(name : Text, context : Blob, of : ?Principal) : async Blob {
    (await network.vetkd_public_key({ canister_id = of; context; key_id = { curve = #bls12_381_g2; name } })).public_key;
  };
  public func vetkd_derive(name : Text, context : Blob, input : Blob, transport_public_key : Blob, cycles : Nat) : async Blob {
    (await (with cycles) network.vetkd_derive_key({ input; context; transport_public_key; key_id = { curve = #bls12_381_g2; name } })).encrypted_key;
  };
};
