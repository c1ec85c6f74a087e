(** * Lemma 4.5 of Santurkar et al. (2018) is false

    One neuron with two inputs, identity activation and no bias, and the same neuron with batch
    normalization over the whole learning set (gamma = 1, beta = 0, epsilon = 0). The statements
    are written to be read without knowing Coq; the proofs need not be read, Coq has checked them.

    Read [forall] as "for all", [exists] as "there is", [->] as "implies", [/\] as "and", [~] as
    "not"; [x ^ 2] is a square. *)

From Coq Require Import Reals List Lra Psatz.
Import ListNotations.
Open Scope R_scope.

(** ** Definitions *)

(** An example has two inputs and a target; a learning set is a list of examples. *)
Record example := Example_of { x1 : R; x2 : R; target : R }.
Definition learning_set := list example.

(** Weights are points of the plane. *)
Record weights := W { w1 : R; w2 : R }.

Definition scaled (k : R) (w : weights) : weights := W (k * w1 w) (k * w2 w).
Definition inner (v w : weights) : R := w1 v * w1 w + w2 v * w2 w.
Definition squared_distance (v w : weights) : R := (w1 v - w1 w) ^ 2 + (w2 v - w2 w) ^ 2.

(** The mean of a quantity over the examples. *)
Fixpoint sum (f : example -> R) (S : learning_set) : R :=
  match S with
  | [] => 0
  | p :: rest => f p + sum f rest
  end.
Definition mean (f : example -> R) (S : learning_set) : R := sum f S / INR (length S).

(** The pre-activation y, its mean, its population variance and its standard deviation. *)
Definition y (w : weights) (p : example) : R := w1 w * x1 p + w2 w * x2 p.
Definition mu (S : learning_set) (w : weights) : R := mean (y w) S.
Definition variance (S : learning_set) (w : weights) : R :=
  mean (fun p => (y w p - mu S w) ^ 2) S.
Definition sigma (S : learning_set) (w : weights) : R := sqrt (variance S w).

(** The losses: L without batch normalization; L_BN with it, which means something where
    sigma > 0. *)
Definition L (S : learning_set) (w : weights) : R :=
  mean (fun p => (y w p - target p) ^ 2) S.
Definition L_BN (S : learning_set) (w : weights) : R :=
  mean (fun p => ((y w p - mu S w) / sigma S w - target p) ^ 2) S.

(** Local minima, weak ones included: no loss nearby is smaller. *)
Definition local_minimum (S : learning_set) (w : weights) : Prop :=
  exists r, 0 < r /\ forall v, squared_distance v w < r -> L S w <= L S v.
Definition local_minimum_BN (S : learning_set) (w : weights) : Prop :=
  0 < sigma S w /\
  exists r, 0 < r /\
    forall v, squared_distance v w < r -> 0 < sigma S v -> L_BN S w <= L_BN S v.

(** A closest optimum to the start w0: it is an optimum, and none is closer (strict reading). *)
Definition closest (optimum : weights -> Prop) (w0 w : weights) : Prop :=
  optimum w /\ forall v, optimum v -> squared_distance w0 w <= squared_distance w0 v.

(** The inequality of the lemma, with the standard optimum [star] and the optimum [hat] with
    batch normalization. *)
Definition inequality (w0 star hat : weights) : Prop :=
  squared_distance w0 hat <=
  squared_distance w0 star - (inner star star - inner star w0) ^ 2 / inner star star.

(** The lemma, for this neuron: a statement about all learning sets and all starts. *)
Definition Lemma_4_5 : Prop :=
  forall (S : learning_set) (w0 star hat : weights),
    S <> [] ->
    closest (local_minimum S) w0 star ->
    closest (local_minimum_BN S) w0 hat ->
    0 < inner w0 star ->
    inequality w0 star hat.

(** ** 1. Scale invariance, on any learning set *)

Lemma sum_ext : forall (f g : example -> R) S, (forall p, f p = g p) -> sum f S = sum g S.
Proof. intros f g S H; induction S as [|p S IH]; simpl; [|rewrite H, IH]; reflexivity. Qed.

Lemma sum_scaled : forall k f S, sum (fun p => k * f p) S = k * sum f S.
Proof. intros k f S; induction S as [|p S IH]; simpl; [ring|]. rewrite IH; ring. Qed.

Lemma mean_ext : forall f g S, (forall p, f p = g p) -> mean f S = mean g S.
Proof. intros; unfold mean; rewrite (sum_ext f g); auto. Qed.

Lemma mean_scaled : forall k f S, mean (fun p => k * f p) S = k * mean f S.
Proof. intros; unfold mean; rewrite sum_scaled; unfold Rdiv; ring. Qed.

Lemma mu_scaled : forall k S w, mu S (scaled k w) = k * mu S w.
Proof.
  intros; unfold mu. rewrite <- mean_scaled. apply mean_ext; intro p; unfold y, scaled; simpl; ring.
Qed.

Lemma variance_scaled : forall k S w, variance S (scaled k w) = k ^ 2 * variance S w.
Proof.
  intros; unfold variance. rewrite <- mean_scaled. apply mean_ext; intro p.
  rewrite mu_scaled. unfold y, scaled; simpl; ring.
Qed.

Lemma sigma_scaled : forall k S w, 0 < k -> sigma S (scaled k w) = k * sigma S w.
Proof.
  intros k S w Hk; unfold sigma. rewrite variance_scaled, sqrt_mult_alt by (apply pow2_ge_0).
  rewrite sqrt_pow2 by lra. reflexivity.
Qed.

Theorem scale_invariance :
  forall (S : learning_set) (w : weights) (k : R),
    0 < k -> 0 < sigma S w -> L_BN S (scaled k w) = L_BN S w.
Proof.
  intros S w k Hk Hs; unfold L_BN. apply mean_ext; intro p.
  rewrite mu_scaled, (sigma_scaled k S w Hk).
  replace (y (scaled k w) p) with (k * y w p) by (unfold y, scaled; simpl; ring).
  replace ((k * y w p - k * mu S w) / (k * sigma S w)) with ((y w p - mu S w) / sigma S w)
    by (field; lra).
  reflexivity.
Qed.

(** So with a local minimum of L_BN all its positive multiples are local minima. *)
Lemma minimum_scaled : forall S w k,
  0 < k -> local_minimum_BN S w -> local_minimum_BN S (scaled k w).
Proof.
  intros S w k Hk [Hs [r [Hr Hmin]]]. split.
  { rewrite sigma_scaled by assumption. apply Rmult_lt_0_compat; assumption. }
  exists (k ^ 2 * r). split. { apply Rmult_lt_0_compat; [apply pow_lt|]; assumption. }
  intros v Hv Hsv. rewrite scale_invariance by assumption.
  assert (Hk' : 0 < / k) by (apply Rinv_0_lt_compat; assumption).
  rewrite <- (scale_invariance S v (/ k)) by assumption.
  apply Hmin.
  - apply Rmult_lt_reg_l with (k ^ 2). { apply pow_lt; assumption. }
    replace (k ^ 2 * squared_distance (scaled (/ k) v) w) with (squared_distance v (scaled k w)).
    { assumption. }
    unfold squared_distance, scaled; simpl. field; lra.
  - rewrite sigma_scaled by assumption. apply Rmult_lt_0_compat; assumption.
Qed.

(** ** The three points *)

Definition three_points : learning_set :=
  [Example_of 1 0 2; Example_of 0 1 0; Example_of 1 1 5].

(** Two facts about small numbers: s^2 c is small with s, and s g <= s^2 h around 0 forces g = 0. *)
Lemma near : forall r c, 0 < r -> 0 <= c ->
  exists b, 0 < b /\ forall s, - b < s < b -> - 1 < s < 1 /\ s ^ 2 * c < r.
Proof.
  intros r c Hr Hc. assert (Hd : 0 < r / (c + 1)) by (apply Rdiv_lt_0_compat; lra).
  exists (Rmin 1 (r / (c + 1))); split; [apply Rmin_glb_lt; lra|]. intros s Hs.
  pose proof (Rmin_l 1 (r / (c + 1))). pose proof (Rmin_r 1 (r / (c + 1))) as H1.
  set (b := Rmin 1 (r / (c + 1))) in *. split; [lra|].
  assert (H2 : b * (c + 1) <= r).
  { replace r with (r / (c + 1) * (c + 1)) by (field; lra). apply Rmult_le_compat_r; lra. }
  assert (H3 : s ^ 2 <= b) by nra.
  pose proof (Rmult_le_compat_r c _ _ Hc H3). nra.
Qed.

Lemma slope_not_positive : forall b g h, 0 < b ->
  (forall s, - b < s < b -> s * g <= s ^ 2 * h) -> g <= 0.
Proof.
  intros b g h Hb H. destruct (Rle_or_lt g 0) as [|G]; [assumption|exfalso].
  pose proof (Rle_abs h) as Ha. pose proof (Rabs_pos h) as Hm. set (m := Rabs h) in *.
  set (e := g / (2 * (m + 1))).
  assert (He : 0 < e) by (unfold e; apply Rdiv_lt_0_compat; lra).
  assert (Heg : e * (2 * (m + 1)) = g) by (unfold e; field; lra).
  pose proof (Rmin_l (b / 2) e) as Hl. pose proof (Rmin_r (b / 2) e) as Hr.
  assert (Hp : 0 < Rmin (b / 2) e) by (apply Rmin_glb_lt; lra). set (s := Rmin (b / 2) e) in *.
  assert (K : s * g <= s * (s * h)) by (replace (s * (s * h)) with (s ^ 2 * h) by ring; apply H; lra).
  apply Rmult_le_reg_l in K; [|assumption]. nra.
Qed.

Lemma slope_vanishes : forall b g h, 0 < b ->
  (forall s, - b < s < b -> s * g <= s ^ 2 * h) -> g = 0.
Proof.
  intros b g h Hb H. apply Rle_antisym; [exact (slope_not_positive b g h Hb H)|].
  assert (- g <= 0); [|lra]. apply (slope_not_positive b (- g) h Hb). intros s Hs.
  assert (Hs' : - b < - s < b) by lra. specialize (H _ Hs').
  replace ((- s) ^ 2) with (s ^ 2) in H by ring. lra.
Qed.

(** ** 2. Without batch normalization (3, 1) is the only local minimum *)

Lemma L_three : forall u v,
  L three_points (W u v) = 1 + ((u - 3) ^ 2 + (v - 1) ^ 2 + (u + v - 4) ^ 2) / 3.
Proof. intros; unfold L, mean, y; simpl. field. Qed.

Theorem the_standard_optimum :
  forall w : weights, local_minimum three_points w <-> w = W 3 1.
Proof.
  intros [u v]; split.
  - intros [r [Hr Hmin]]. destruct (near r 1 Hr) as [b [Hb Hnear]]; [lra|].
    (* Along both axes the slope is 0. *)
    assert (H1 : - 2 * (2 * u + v - 7) = 0).
    { apply (slope_vanishes b _ 2 Hb). intros s Hs. destruct (Hnear s Hs) as [_ H].
      specialize (Hmin (W (u + s) v)). rewrite !L_three in Hmin.
      unfold squared_distance in Hmin; cbn [w1 w2] in Hmin.
      assert (K : (u + s - u) ^ 2 + (v - v) ^ 2 < r) by lra. specialize (Hmin K). lra. }
    assert (H2 : - 2 * (u + 2 * v - 5) = 0).
    { apply (slope_vanishes b _ 2 Hb). intros s Hs. destruct (Hnear s Hs) as [_ H].
      specialize (Hmin (W u (v + s))). rewrite !L_three in Hmin.
      unfold squared_distance in Hmin; cbn [w1 w2] in Hmin.
      assert (K : (u - u) ^ 2 + (v + s - v) ^ 2 < r) by lra. specialize (Hmin K). lra. }
    f_equal; lra.
  - intro H; inversion H; subst. exists 1; split; [lra|]. intros [p q] _. rewrite !L_three.
    pose proof (pow2_ge_0 (p - 3)); pose proof (pow2_ge_0 (q - 1));
    pose proof (pow2_ge_0 (p + q - 4)); lra.
Qed.

(** ** 3. With it they are the ray of (5, 3) *)

Lemma variance_three : forall u v,
  variance three_points (W u v) = 2 * (u ^ 2 - u * v + v ^ 2) / 9.
Proof. intros; unfold variance, mu, mean, y; simpl. field. Qed.

Lemma sigma_squared : forall S w, 0 < sigma S w -> sigma S w ^ 2 = variance S w.
Proof.
  intros S w Hs; unfold sigma in *. apply pow2_sqrt.
  destruct (Rle_or_lt 0 (variance S w)) as [H|H]; [assumption|].
  rewrite sqrt_neg_0 in Hs; lra.
Qed.

Lemma L_BN_three : forall u v, 0 < sigma three_points (W u v) ->
  L_BN three_points (W u v) = 32 / 3 - 2 * (7 * u + v) / (9 * sigma three_points (W u v)).
Proof.
  intros u v Hs. pose proof (sigma_squared _ _ Hs) as Hsq. rewrite variance_three in Hsq.
  unfold L_BN, mu, mean, y; simpl. set (s := sigma three_points (W u v)) in *.
  apply Rminus_diag_uniq.
  match goal with |- ?a = 0 =>
    replace a with ((2 * (u ^ 2 - u * v + v ^ 2) / 9 - s ^ 2) / s ^ 2) by (field; lra) end.
  rewrite <- Hsq. field; lra.
Qed.

(** One inequality says where L_BN is smallest: (7 u + v)^2 <= 38 * 9 * sigma^2, with equality
    where 3 u = 5 v. *)
Lemma minimum_on_the_ray : forall w k, 0 < k -> 0 < sigma three_points w ->
  0 < sigma three_points (W (k * 5) (k * 3)) /\
  L_BN three_points (W (k * 5) (k * 3)) <= L_BN three_points w.
Proof.
  intros [u v] k Hk Hs.
  assert (Hr : 0 < sigma three_points (W (k * 5) (k * 3))).
  { unfold sigma; apply sqrt_lt_R0; rewrite variance_three; nra. }
  split; [assumption|]. rewrite !L_BN_three by assumption.
  pose proof (sigma_squared _ _ Hs) as Hq. pose proof (sigma_squared _ _ Hr) as Hp.
  rewrite variance_three in Hq, Hp.
  set (s := sigma three_points (W u v)) in *.
  set (p := sigma three_points (W (k * 5) (k * 3))) in *.
  assert (H : (7 * u + v) * p <= 38 * k * s).
  { destruct (Rle_or_lt (7 * u + v) 0) as [Hn|Hn].
    - assert (0 < k * s) by (apply Rmult_lt_0_compat; assumption). nra.
    - apply Rsqr_incr_0; [|nra|nra]. unfold Rsqr.
      replace ((7 * u + v) * p * ((7 * u + v) * p)) with ((7 * u + v) ^ 2 * p ^ 2) by ring.
      replace (38 * k * s * (38 * k * s)) with (1444 * k ^ 2 * s ^ 2) by ring.
      rewrite Hq, Hp. pose proof (pow2_ge_0 (k * (3 * u - 5 * v))). nra. }
  assert (H' : (7 * u + v) / s <= 38 * k / p).
  { apply Rmult_le_reg_r with (s * p); [apply Rmult_lt_0_compat; assumption|].
    replace ((7 * u + v) / s * (s * p)) with ((7 * u + v) * p) by (field; lra).
    replace (38 * k / p * (s * p)) with (38 * k * s) by (field; lra). assumption. }
  replace (2 * (7 * u + v) / (9 * s)) with (2 / 9 * ((7 * u + v) / s)) by (field; lra).
  replace (2 * (7 * (k * 5) + k * 3) / (9 * p)) with (2 / 9 * (38 * k / p)) by (field; lra).
  lra.
Qed.

(** A local minimum lies on the ray: along w + 2 s (u - 2 v, 2 u - v) - 3 s^2 w, w = (u, v), sigma
    is exactly (1 + 3 s^2) sigma(w), so that minimality gives s (3 u - 5 v) <= s^2 (7 u + v). *)
Lemma nothing_falls_aside : forall u v, local_minimum_BN three_points (W u v) ->
  exists b, 0 < b /\ forall s, - b < s < b -> s * (3 * u - 5 * v) <= s ^ 2 * (7 * u + v).
Proof.
  intros u v [Hs [r [Hr Hmin]]].
  set (c := 8 * (u - 2 * v) ^ 2 + 18 * u ^ 2 + 8 * (2 * u - v) ^ 2 + 18 * v ^ 2).
  assert (Hc : 0 <= c) by (unfold c; pose proof (pow2_ge_0 (u - 2 * v));
    pose proof (pow2_ge_0 u); pose proof (pow2_ge_0 (2 * u - v)); pose proof (pow2_ge_0 v); lra).
  destruct (near r c Hr Hc) as [b [Hb Hnear]]. exists b; split; [assumption|]. intros s Hsb.
  destruct (Hnear s Hsb) as [H1 Hsc]. set (f := 1 + 3 * s ^ 2).
  assert (Hf : 0 < f) by (unfold f; pose proof (pow2_ge_0 s); lra).
  set (u' := u + 2 * s * (u - 2 * v) - 3 * s ^ 2 * u).
  set (v' := v + 2 * s * (2 * u - v) - 3 * s ^ 2 * v).
  assert (Hsig : sigma three_points (W u' v') = f * sigma three_points (W u v)).
  { unfold sigma. replace (variance three_points (W u' v'))
      with (f ^ 2 * variance three_points (W u v))
      by (rewrite !variance_three; unfold u', v', f; field).
    rewrite sqrt_mult_alt by (apply pow2_ge_0). rewrite sqrt_pow2; lra. }
  assert (Hpos : 0 < sigma three_points (W u' v')) by (rewrite Hsig; apply Rmult_lt_0_compat; lra).
  assert (step : forall p q, (2 * s * p - 3 * s ^ 2 * q) ^ 2 <= s ^ 2 * (8 * p ^ 2 + 18 * q ^ 2)).
  { intros p q. replace ((2 * s * p - 3 * s ^ 2 * q) ^ 2)
      with (s ^ 2 * (8 * p ^ 2 + 18 * (s ^ 2 * q ^ 2) - (2 * p + 3 * s * q) ^ 2)) by ring.
    apply Rmult_le_compat_l; [apply pow2_ge_0|].
    pose proof (pow2_ge_0 (2 * p + 3 * s * q)). pose proof (pow2_ge_0 q).
    assert (s ^ 2 <= 1) by nra. nra. }
  assert (Hclose : squared_distance (W u' v') (W u v) < r).
  { unfold squared_distance; cbn [w1 w2]. pose proof (step (u - 2 * v) u).
    pose proof (step (2 * u - v) v). unfold c in Hsc.
    replace (u' - u) with (2 * s * (u - 2 * v) - 3 * s ^ 2 * u) by (unfold u'; ring).
    replace (v' - v) with (2 * s * (2 * u - v) - 3 * s ^ 2 * v) by (unfold v'; ring). lra. }
  specialize (Hmin (W u' v') Hclose Hpos).
  rewrite (L_BN_three u' v' Hpos), (L_BN_three u v Hs), Hsig in Hmin.
  set (d := sigma three_points (W u v)) in *.
  assert (Hm : 0 < 9 * (f * d)) by (pose proof (Rmult_lt_0_compat f d Hf Hs); lra).
  assert (H : 2 * (7 * u' + v') / (9 * (f * d)) * (9 * (f * d))
              <= 2 * (7 * u + v) / (9 * d) * (9 * (f * d))) by (apply Rmult_le_compat_r; lra).
  replace (2 * (7 * u' + v') / (9 * (f * d)) * (9 * (f * d))) with (2 * (7 * u' + v')) in H
    by (field; lra).
  replace (2 * (7 * u + v) / (9 * d) * (9 * (f * d))) with (2 * f * (7 * u + v)) in H
    by (field; lra).
  unfold u', v', f in H. lra.
Qed.

Theorem the_optima_with_batch_normalization :
  forall w : weights,
    local_minimum_BN three_points w <-> exists k, 0 < k /\ w = W (k * 5) (k * 3).
Proof.
  intros [u v]; split.
  - intro Hmin. destruct (nothing_falls_aside u v Hmin) as [b [Hb H]].
    pose proof (slope_vanishes b _ _ Hb H) as H1.
    assert (H2 : 0 <= 7 * u + v).
    { assert (Hb2 : - b < b / 2 < b) by lra. specialize (H _ Hb2). rewrite H1 in H.
      assert (0 < (b / 2) ^ 2) by (apply pow_lt; lra).
      destruct (Rle_or_lt 0 (7 * u + v)) as [|G]; [assumption|exfalso].
      pose proof (Rmult_lt_0_compat ((b / 2) ^ 2) (- (7 * u + v)) ltac:(lra) ltac:(lra)). lra. }
    exists (v / 3). split; [|f_equal; lra].
    destruct (Rle_or_lt v 0) as [G|G]; [exfalso|lra].
    assert (v = 0) by lra. assert (u = 0) by lra. subst. destruct Hmin as [K _].
    unfold sigma in K. rewrite variance_three in K.
    replace (2 * (0 ^ 2 - 0 * 0 + 0 ^ 2) / 9) with 0 in K by field. rewrite sqrt_0 in K; lra.
  - intros [k [Hk E]]. rewrite E. split.
    + unfold sigma; apply sqrt_lt_R0; rewrite variance_three; nra.
    + exists 1; split; [lra|]. intros w _ Hw. apply (minimum_on_the_ray w k Hk Hw).
Qed.

(** ** 4. The closest one to (3, 1) *)

Theorem the_closest_optimum :
  forall hat : weights,
    closest (local_minimum_BN three_points) (W 3 1) hat <-> hat = W (9 / 17 * 5) (9 / 17 * 3).
Proof.
  intro hat; split.
  - intros [Hhat Hclosest]. apply the_optima_with_batch_normalization in Hhat.
    destruct Hhat as [k [Hk ->]].
    assert (Hfoot : local_minimum_BN three_points (W (9 / 17 * 5) (9 / 17 * 3))).
    { apply the_optima_with_batch_normalization. exists (9 / 17); split; [lra | reflexivity]. }
    specialize (Hclosest _ Hfoot). unfold squared_distance in Hclosest; simpl in Hclosest.
    assert (k = 9 / 17) by (pose proof (pow2_ge_0 (17 * k - 9)); nra). subst; reflexivity.
  - intros ->. split.
    + apply the_optima_with_batch_normalization. exists (9 / 17); split; [lra | reflexivity].
    + intros v Hv. apply the_optima_with_batch_normalization in Hv. destruct Hv as [k [_ ->]].
      unfold squared_distance; simpl. pose proof (pow2_ge_0 (17 * k - 9)). nra.
Qed.

Theorem the_squared_distance :
  squared_distance (W 3 1) (W (9 / 17 * 5) (9 / 17 * 3)) = 8 / 17.
Proof. unfold squared_distance; simpl; field. Qed.

(** ** 5. The lemma is false *)

Lemma closest_to_itself : forall (optimum : weights -> Prop) w, optimum w -> closest optimum w w.
Proof.
  intros optimum [u v] H; split; [assumption|]. intros [p q] _; unfold squared_distance; simpl.
  pose proof (pow2_ge_0 (u - p)); pose proof (pow2_ge_0 (v - q)); nra.
Qed.

Theorem the_lemma_is_false : ~ Lemma_4_5.
Proof.
  intro lemma.
  assert (H : inequality (W 3 1) (W 3 1) (W (9 / 17 * 5) (9 / 17 * 3))).
  { apply (lemma three_points).
    - discriminate.
    - apply closest_to_itself, the_standard_optimum; reflexivity.
    - apply the_closest_optimum; reflexivity.
    - unfold inner; simpl; lra. }
  unfold inequality in H. rewrite the_squared_distance in H.
  unfold squared_distance, inner in H; simpl in H.
  replace ((3 * 3 + 1 * 1 - (3 * 3 + 1 * 1)) * ((3 * 3 + 1 * 1 - (3 * 3 + 1 * 1)) * 1)) with 0 in H
    by ring. lra.
Qed.

(** ** 6. On any learning set *)

(** Where the standard optimum is no optimum with batch normalization, the inequality fails at
    W0 = W*, if there is a closest optimum at all. *)
Theorem it_fails_where_the_standard_optimum_is_lost :
  forall (S : learning_set) (star hat : weights),
    local_minimum S star -> ~ local_minimum_BN S star ->
    0 < inner star star ->
    closest (local_minimum_BN S) star hat ->
    closest (local_minimum S) star star /\ 0 < inner star star /\ ~ inequality star star hat.
Proof.
  intros S [u v] [p q] Hstar Hlost Hpos [Hhat _].
  split; [apply closest_to_itself; assumption|]. split; [assumption|]. intro H.
  unfold inequality, squared_distance, inner in H; simpl in H.
  replace (u * u + v * v - (u * u + v * v)) with 0 in H by ring.
  assert (E : u - p = 0 /\ v - q = 0).
  { unfold Rdiv in H. pose proof (pow2_ge_0 (u - p)); pose proof (pow2_ge_0 (v - q)). split; nra. }
  apply Hlost. replace (W u v) with (W p q) by (f_equal; lra). assumption.
Qed.

(** Where it is one, the 2018 argument is right: the whole ray of W* is optimal. *)
Theorem it_holds_where_the_standard_optimum_is_kept :
  forall (S : learning_set) (w0 star hat : weights),
    local_minimum_BN S star ->
    closest (local_minimum_BN S) w0 hat ->
    0 < inner w0 star ->
    inequality w0 star hat.
Proof.
  intros S [a b] [u v] hat Hstar [_ Hclosest] Hadm. unfold inner in Hadm; simpl in Hadm.
  assert (Hn : 0 < u * u + v * v).
  { destruct (Rle_or_lt (u * u + v * v) 0) as [G|G]; [|assumption]. exfalso.
    assert (u = 0) by nra. assert (v = 0) by nra. subst. lra. }
  set (k := (u * a + v * b) / (u * u + v * v)).
  assert (Hk : 0 < k) by (unfold k; apply Rdiv_lt_0_compat; lra).
  specialize (Hclosest _ (minimum_scaled S (W u v) k Hk Hstar)).
  unfold inequality. apply Rle_trans with (1 := Hclosest). right.
  unfold squared_distance, inner, scaled, k; simpl. field. lra.
Qed.

(** What the proofs rest on: the real numbers of Coq's standard library, and nothing else. *)
Print Assumptions the_lemma_is_false.
Print Assumptions it_fails_where_the_standard_optimum_is_lost.
Print Assumptions it_holds_where_the_standard_optimum_is_kept.
