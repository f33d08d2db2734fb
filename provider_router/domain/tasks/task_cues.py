"""Words that are signs of a task class, in English, German, French, Spanish and Italian.

Points say how telling a word is: 2 for a hint, 4 for a sign, 8 for a word that hardly means anything else. `_` joins
two words that must stand side by side; a word that ends in `-` stands for all words that begin with its first
`STEM_CHARS` letters. Words are lower case; which language they are of does not matter.
"""

from __future__ import annotations

from collections.abc import Mapping

STEM_CHARS = 6

_CUES: Mapping[str, Mapping[int, str]] = {
    "general": {
        8: """hello hi hey thanks lol hallo moin danke salut bonjour merci hola gracias ciao grazie sorry cheers
            bonsoir buonasera hasta_luego servus tschüss tschau adiós""",
        4: """good_morning good_evening good_night how_are thank_you nice_to what's_up my_day are_you joke chat bored
            okay yes wie_geht guten_morgen guten_abend guten_tag vielen_dank schönes_wochenende alles_klar
            comment_ça tu_vas à_bientôt buenos_días buenas_tardes qué_tal come_stai buongiorno see_you
            good_afternoon ich_bin i_am_feeling your_weekend try_again bis_bald alles_gute super perfect ich_heiße
            je_m'appelle saved_my""",
        2: "you_do help_me please_go wünsche my_cat tired müde",
    },
    "code": {
        8: """python javascript typescript java rust golang kotlin sql regex dockerfile docker html css react flask
            django bash git api npm compiler stacktrace debug refactor- node.js postgres kubernetes dataclass
            programmiere segfault kubectl webpack laravel ruby perl php swift c# c++ github gitlab yaml toml cli
            tailwind numpy pandas nullpointerexception regexp junit""",
        4: """function code script class method bug compile- exception endpoint algorithm- recursi- array loop loops
            string query unit_tests pytest stack_trace pull_request one-liner shell repository async await callback
            backend frontend funktion skript klasse methode schleife schleifen programm quellcode datenbank-
            fehlermeldung kompilier- fonction classe_c script_shell boucle tableau programme code_source función
            clase método bucle consulta_sql código programa funzione codice ciclo rebase commit commits branch
            linter lint workflow cronjob pipeline pointer thread mutex index_for webseite navbar snippet
            comprehension runtime conteneur requête despliega servidor hilo skripte schnittstelle variablen webpage
            website plugin button component""",
        2: """implement fix error fails library json parser module test_suite variable implementiere fehler datei
            écris_une_classe corrige types server column file_in build set_up line zeile""",
    },
    "math": {
        8: """equation equations derivative integral eigenvalue- determinant differentiate probability polynomial
            theorem square_root cube_root prime_numbers perimeter gleichung gleichungs- ableitung nullstelle-
            wahrscheinlichkeit flächeninhalt quadratwurzel équation dérivée intégrale racine_carrée ecuación
            derivada raíz_cuadrada área equazione hypotenuse remainder median logarithm sine cosine factorial
            geteilt induktion rabatt nenner zähler bruch vektor produit_de divisor denominator numerator arithmetic""",
        4: """calculate compute solve percent percentage sum radius triangle rectangle circle area average_speed speed
            integer integers odd prime fraction matrix arrange how_many_ways many_ways compound_interest simplify
            evaluate prove multiply divided berechne berechnen prozent summe_der löse beweise rechne dreieck kreis
            wie_viel mal_so teile_durch mittel calcule résous somme pourcentage triangolo calcula resuelve cuánto_es
            suma quanto_fa calcola diviso dividido odds dice cards_are series limit factor divided_by winkel
            durchschnitt mittelwert volumen surface volume average decimal round_to sequence vertex slope tangent
            commission earns fois divisé máximo_común halla promedio many_different long_with viele_möglichkeiten
            ergibt combien_font""",
        2: """how_much how_many km cost discount interest squared times plus minus twice find_the wie_schnell più por
            long_will deck per_hour pro_stunde""",
    },
    "reasoning": {
        8: """step_by syllogism trade-offs tradeoffs pros_and reason_through reason_it logically deduce paradox riddle
            vor-_und schritt_für schlussfolger- wäge folgere avantages_et raisonnement razona paso_a logik-
            contradiction widerspruch second_order trade-off brainteaser rätsel énigme acertijo denksport""",
        4: """reasoning argument assumptions consequences implications weigh decide recommend strategy strategies
            valid clues conclude infer strategien strategie begründe begründen spricht_dafür dagegen logisch abwägen
            vorteile nachteile folgt causes_de inconvénients justifie conséquences raisonne ventajas inconvenientes
            conviene miente evaluate_whether whether_to should_we must_be considerations analyse analyze hypothesis
            hypotheses would_happen work_out either puzzle older younger exactly_one all_a argumentiere überlege
            leite_her ungültig annahme annahmen réfléchis étape_par faut-il wiser for_and case_for assess think_hard
            think_carefully could_explain sollten_wir sollte_ich should_i entscheide mieux_vaut puzzles statements
            scenario what_if abwägung decision dilemma root_cause implies nobody everyone prisoner guards hypothesen
            deduct- argue objections counterarguments""",
        2: """if compare why which_one better plan best explain_why true lying liar who_is suppose would because
            langfristig besser warum vergleiche si mejor meilleur next_to risk row each_other nobody_who always lies
            orden zuerst einer_der""",
    },
    "extraction": {
        8: """extract extracts extracting extraction extrahiere extrahieren entnimm extrais extraire extrae extraer
            estrai filtere iban isbn herausfiltern auslesen extrahier-""",
        4: """pull_out list_all list_every all_names all_dates all_urls phone_number phone_numbers email_addresses
            invoice_number mentioned are_named json_object fields parse occur following_recipe telefonnummern
            telefonnummer rechnungsnummer alle_namen alle_e namen_und beträge e-mail-adressen werden_genannt genannt
            aufgelistet adressen numéro_de_facture les_dates les_noms las_fechas los_nombres cantidades quantity
            get_the grab pick_out collect_all list_the output_every fill_this name_each read_out in_csv as_csv
            as_json json_with als_json raw_email alle_artikelnummern aus_dem aus_der aus_dieser aus_diesem saca
            repère toutes_les todos_los aparecen appear appears cited usernames hashtags welche_termine heraus
            get_me fields_from tabelle_mit named adresses only_the copy_out""",
        2: """identify find_all below following names dates amounts table json key keys return from_this from_the lies
            liste donne-moi urls entities pasted blurb log receipt passage all_the letter steht stehen unten dans_ce
            dans_le en_el del_texto""",
    },
    "summarization": {
        8: """summarize summarise summary tldr tl;dr gist recap synopsis abstract condense zusammenfassung
            zusammenfassen zusammengefasst fasse résume résumé synthèse resume resumen riassumi riassunto takeaways
            executive_summary digest distill inhaltsangabe kernaussagen kernaussage résumer summarizing summarised
            summarized sintetiza rundown nutshell""",
        4: """key_points main_points important_points sum_up boil shorten short_version overview bullet_points bullets
            main_findings in_two_sentences two_sentences three_sentences main_message worum_geht wichtigsten_punkte
            wesentliche kürze kurzfassung überblick idées_principales points_clés en_quelques puntos_clave
            ideas_principales zusammen highlights concise catch_me bottom_line outline half_as one_page one_sentence
            einem_satz essence one_minute in_short main_ideas key_takeaways wesentlichen brief_summary en_deux
            in_kürze resúmeme resumir les_points los_puntos fass gekürzt shorter_version""",
        2: """article report transcript meeting minutes chapter thread brief briefly short paper artikel bericht
            protokoll capítulo informe text kurz keep_it notes review reviews statement halbe_seite chapters
            email_thread words líneas report_to""",
    },
    "translation": {
        8: """translate translates translation translations übersetze übersetzen übersetz übersetzt übersetzung
            traduis traduire traduction traduce traducir traducción traduci tradurre localize localise""",
        4: """into_english to_english in_english ins_deutsche ins_englische auf_deutsch auf_englisch auf_französisch
            auf_spanisch en_anglais en_allemand en_français en_espagnol en_italien al_alemán al_inglés al_español
            en_inglés in_inglese in_italiano you_say would_i_say sagt_man se_dice dit-on heißt phrase rendering
            literal wie_sagt comment_dit word_in equivalent_of idiomatic subtitle into_spanish into_french
            into_german bedeutet auf_italienisch ins_polnische ins_französische ins_spanische say_in the_word
            qué_significa que_signifie que_veut native_speaker auf_polnisch auf_türkisch auf_russisch vietnamese
            hungarian""",
        3: """english german french spanish italian dutch portuguese russian chinese japanese korean polish turkish
            swedish arabic hindi greek latin danish norwegian finnish czech ukrainian deutsch englisch französisch
            spanisch italienisch anglais allemand français espagnol italien inglés alemán francés español italiano
            inglese tedesco polnisch russisch türkisch japanisch chinesisch portugiesisch niederländisch portugais
            japonais""",
        2: "word_for mean convert übertragen",
    },
    "writing": {
        8: """poem haiku poetry lyrics slogan slogans story gedicht geschichte erzählung märchen poème conte cuento
            poema storia poesia novel essay blog_post press_release cover_letter limerick toast eulogy tweet
            kündigungsschreiben vierzeiler leserbrief légende reseña newsletter headline tagline jingle sonnet
            dialog screenplay monologue motto dankesbrief bewerbung""",
        4: """draft compose rewrite rephrase reword proofread polish invent come_up creative speech letter post
            apology wedding birthday message_for title style tone formal friendly persuasive dialogue scene song
            tale entwirf verfasse formuliere schreib umformuliere brief rede einladung absage rédige lettre discours
            redacta carta correo_formal scrivi motivationsschreiben anschreiben craft pen_a names_for sound_more
            sound_less make_this improve continue_this introduction_to you_note stil verbessere imagine invente
            inventa dichte ich_brauche caption_for announce announcement speech_for letter_to text_to overhaul
            paragraph_about article_about lustige glückwunsch grußkarte""",
        2: """write email wording grammar describe description suggest schreibe écris escribe paragraph content ad
            less_aggressive polite style_of note personal as_if""",
    },
    "knowledge": {
        4: """capital who_was who_wrote who_invented who_is what_is what_are what_causes when_did when_was where_is
            where_do how_does stand_for history_of difference_between wer_hat wer_war was_ist wann_wurde wann_war
            wie_funktioniert wo_liegt hauptstadt qui_a quelle_est quel_est où_se qu'est-ce cuál_es quién_fue qué_es
            en_qué_año chi_ha invented population symptoms tell_me_about qui_est how_far how_old how_big long_does
            name_the currency wie_heißt warum_ist was_war was_versteht was_sind wie_viele wie_alt welcher_planet
            combien_d combien_de pourquoi_le pourquoi_la pourquoi_les por_qué quién_pintó who_painted who_discovered
            why_do why_does why_is why_are what_was when_is when_were where_was which_country which_is founded
            inhabitants planet war_of vitamin vitamine""",
        2: """who when where what's which how_many how_tall how_do what_does capital_of explain describe country
            largest longest first does wer wann welches welche größte erste qui quand où quelle quel quién cuándo
            dónde chi quando what tell_me why""",
    },
    "agentic": {
        8: """book_a book_me schedule remind reminder calendar inbox reserve browse google buche kalender erinnerung
            reserviere réserve rappel agenda envoie reserva recordatorio calendario set_an alarm thermostat
            verschiebe bestelle durchsuche descarga sube_el télécharge playlist""",
        4: """search_the look_up send restart open_the then_send and_send download push clone monitor delete buy order
            cancel notify check_the call go_through archive reply save_it appointment appointments invite invitation
            turn_off turn_on ticket suche öffne prüfe trage leite benachrichtige schicke lösche termin termine
            aktualisiere starte recherche enregistre cherche courriels ouvre busca envía abre actualiza envíale
            let_me_know spreadsheet collect move_the move_my rename upload install installiere fetch play lade_die
            informiere commande comparte compártelo text_my mail_the unread page_the rerun hold_the project_board
            lights lamp lights_in reply_to update_the forward a_reservation add_it add_to set_the schalte starte_den
            me_when mir_bescheid leg lege notiere envoie_le planifie programma order_two meeting_to share_it""",
        2: """find and_then then post tomorrow update assign create next_week server file_on check morgen demain
            mañana web internet folder dentist directory usual_shop it_is_not when_it portal ordner""",
    },
    "classification": {
        8: """classify classification categorize categorise sentiment spam phishing label labels toxic positive_or
            positiv_oder kategorie kategorien klassifiziere einordnen ordne stimmung classe clasifica etiqueta
            positivo_o positif_ou sarcastic positive_negative categorie classifica yes_no true_or true_false
            duplicates genre_of sentimento stufe_ein hate_speech offensive einstufen""",
        4: """category categories tag tags intent positive negative neutral yes_or fact_or opinion which_of options
            detect rate urgent urgency mark department sort topics spam_or grade emotion ja_oder positiv negativ
            catégorie catégories positif négatif positivo negativo categoría sí_o low_medium choose rank severity
            flag handelt_es bewerte markiere welcher_abteilung indique_si decide_if pick_the sort_these sort_the
            put_every or_against assign_the assign_an which_category which_label welcher_kategorie qué_categoría
            quelle_catégorie angry happy_or unhappy ob_der gut_oder formal_or duplicate contains_spam ironic
            relevant est-il es_este responde belongs_to ist_dieser ist_dieses the_following""",
        2: """is_this is_the does_this each answer_with low medium high ist_diese following_message belongs gehört
            whether whether_the decide oder true false fact""",
    },
}

_OF_COMPLEXITY = """
    must should at_least at_most exactly no_more without only never always ensure make_sure each every unless
    between maximum minimum not_exceed avoid include muss müssen soll sollen mindestens höchstens genau ohne nur nie
    immer jede jeder jedes außer zwischen vermeide doit doivent au_moins sans seulement jamais chaque debe deben
    al_menos sin solo nunca cada devono almeno senza
"""


def points_of_words() -> Mapping[str, Mapping[str, int]]:
    """The points that a word, or two words joined by a space, or a stem with `-`, gives to task classes."""
    found: dict[str, dict[str, int]] = {}
    for task_class, by_points in _CUES.items():
        for points, words in by_points.items():
            for word in words.split():
                cue = f"{word[:STEM_CHARS]}-" if word.endswith("-") else word.replace("_", " ")
                found.setdefault(cue, {})[task_class] = points
    return found


def constraint_words() -> frozenset[str]:
    """Words, or two words joined by a space, that state a constraint on the answer."""
    return frozenset(word.replace("_", " ") for word in _OF_COMPLEXITY.split())
